//! The one place that reads files and makes of them what connections obey. All or nothing: every fault is reported, and
//! nothing is changed by a load that fails.

pub mod backend_tls;
pub mod own_certificate;
pub mod pem;
pub mod tls;
pub mod tls_check;
pub mod tls_fault;
