//! The thin binary: everything is in the library, beginning at `redwall::cli`.

/// Costs less per command than the C library's allocator, and gives memory back when clients have gone.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    redwall::cli::main()
}
