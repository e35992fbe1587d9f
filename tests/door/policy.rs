//! What a policy may not be talked into.
