//! Cipher suites that encrypt nothing, so that a test can write any record, also such as no client would send; and real
//! suites with a record limit that a test can reach.

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::cipher_suite::{
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS13_AES_128_GCM_SHA256,
};
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, KeyBlockShape, MessageDecrypter,
    MessageEncrypter, OutboundOpaqueMessage, OutboundPlainMessage, PrefixedPayload,
    Tls12AeadAlgorithm, Tls13AeadAlgorithm, UnsupportedOperationError,
};
use rustls::{
    CipherSuiteCommon, ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion,
    SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite,
};

/// A record that begins with this fails to decrypt.
pub(super) const FORGED: &[u8] = b"forged";

/// A provider whose only suites are these two, which encrypt nothing.
pub(super) fn provider() -> CryptoProvider {
    with_suites(|mut tls12, mut tls13| {
        tls12.aead_alg = &Bare;
        tls13.aead_alg = &Bare;
        tls13.quic = None;
        (tls12, tls13)
    })
}

/// A provider whose only suites are AES-GCM's, with a limit of `records` on one key.
pub(super) fn provider_with_limit(records: u64) -> CryptoProvider {
    with_suites(|mut tls12, mut tls13| {
        tls12.common.confidentiality_limit = records;
        tls13.common.confidentiality_limit = records;
        (tls12, tls13)
    })
}

fn with_suites(
    change: impl Fn(Tls12CipherSuite, Tls13CipherSuite) -> (Tls12CipherSuite, Tls13CipherSuite),
) -> CryptoProvider {
    let (
        SupportedCipherSuite::Tls12(Tls12CipherSuite {
            common: common12,
            prf_provider,
            kx,
            sign,
            aead_alg: aead12,
        }),
        SupportedCipherSuite::Tls13(Tls13CipherSuite {
            common: common13,
            hkdf_provider,
            aead_alg: aead13,
            quic,
        }),
    ) = (
        TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        TLS13_AES_128_GCM_SHA256,
    )
    else {
        panic!("suites of another version");
    };
    let common = |of: &CipherSuiteCommon| CipherSuiteCommon {
        suite: of.suite,
        hash_provider: of.hash_provider,
        confidentiality_limit: of.confidentiality_limit,
    };
    let tls12 = Tls12CipherSuite {
        common: common(common12),
        prf_provider: *prf_provider,
        kx: *kx,
        sign,
        aead_alg: *aead12,
    };
    let tls13 = Tls13CipherSuite {
        common: common(common13),
        hkdf_provider: *hkdf_provider,
        aead_alg: *aead13,
        quic: *quic,
    };
    let (tls12, tls13) = change(tls12, tls13);
    // A suite lives as long as the process.
    CryptoProvider {
        cipher_suites: vec![
            SupportedCipherSuite::Tls13(Box::leak(Box::new(tls13))),
            SupportedCipherSuite::Tls12(Box::leak(Box::new(tls12))),
        ],
        ..rustls::crypto::aws_lc_rs::default_provider()
    }
}

struct Bare;

struct Bare12;

struct Bare13;

impl Tls13AeadAlgorithm for Bare {
    fn encrypter(&self, _: AeadKey, _: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Bare13)
    }

    fn decrypter(&self, _: AeadKey, _: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Bare13)
    }

    fn key_len(&self) -> usize {
        16
    }

    fn extract_keys(
        &self,
        _: AeadKey,
        _: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Err(UnsupportedOperationError)
    }
}

impl Tls12AeadAlgorithm for Bare {
    fn encrypter(&self, _: AeadKey, _: &[u8], _: &[u8]) -> Box<dyn MessageEncrypter> {
        Box::new(Bare12)
    }

    fn decrypter(&self, _: AeadKey, _: &[u8]) -> Box<dyn MessageDecrypter> {
        Box::new(Bare12)
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        KeyBlockShape {
            enc_key_len: 16,
            fixed_iv_len: 4,
            explicit_nonce_len: 8,
        }
    }

    fn extract_keys(
        &self,
        _: AeadKey,
        _: &[u8],
        _: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Err(UnsupportedOperationError)
    }
}

fn refuse_forged(message: &InboundOpaqueMessage<'_>) -> Result<(), Error> {
    match message.payload.starts_with(FORGED) {
        true => Err(Error::DecryptError),
        false => Ok(()),
    }
}

impl MessageEncrypter for Bare12 {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        _: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let mut payload = PrefixedPayload::with_capacity(message.payload.len());
        payload.extend_from_chunks(&message.payload);
        Ok(OutboundOpaqueMessage::new(
            message.typ,
            message.version,
            payload,
        ))
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        payload_len
    }
}

impl MessageDecrypter for Bare12 {
    fn decrypt<'a>(
        &mut self,
        message: InboundOpaqueMessage<'a>,
        _: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        refuse_forged(&message)?;
        match message.payload.len() > 16 * 1024 {
            true => Err(Error::PeerSentOversizedRecord),
            false => Ok(message.into_plain_message()),
        }
    }
}

impl MessageEncrypter for Bare13 {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        _: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let mut payload = PrefixedPayload::with_capacity(message.payload.len() + 1);
        payload.extend_from_chunks(&message.payload);
        payload.extend_from_slice(&[u8::from(message.typ)]);
        Ok(OutboundOpaqueMessage::new(
            ContentType::ApplicationData,
            ProtocolVersion::TLSv1_2,
            payload,
        ))
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        payload_len + 1
    }
}

impl MessageDecrypter for Bare13 {
    fn decrypt<'a>(
        &mut self,
        message: InboundOpaqueMessage<'a>,
        _: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        refuse_forged(&message)?;
        message.into_tls13_unpadded_message()
    }
}
