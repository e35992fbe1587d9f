//! The thin binary: everything is in the library, beginning at `redwall::cli`.

/// Costs less per command than the C library's allocator, and gives memory back when clients have gone. It stands in for that one in the
/// whole process, so that what TLS allocates from C is given back as well. Its settings are in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    redwall::cli::main()
}
