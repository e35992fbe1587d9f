//! Up to eight bytes as one number, so that they are compared at once.

/// `bytes`, of which there are eight at most, as a number whose lowest byte is the first; zeros behind the last. Without a loop, by
/// reads that overlap.
#[inline]
pub(crate) const fn packed(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let [first, last] = [u32::from_le_bytes(*first), u32::from_le_bytes(*last)];
        return first as u64 | (last as u64) << (8 * (len - 4) as u32);
    }
    match (bytes.first_chunk::<2>(), bytes.last()) {
        (Some(first), Some(last)) => {
            u16::from_le_bytes(*first) as u64 | (*last as u64) << (8 * (len - 1) as u32)
        }
        (None, Some(only)) => *only as u64,
        (_, None) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_eight_bytes_are_packed_in_their_order() {
        let all = b"abcdefgh";
        for len in 0..=8 {
            let mut bytes = [0; 8];
            bytes[..len].copy_from_slice(&all[..len]);
            assert_eq!(packed(&all[..len]).to_le_bytes(), bytes);
        }
    }
}
