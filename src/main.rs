//! The thin binary: everything is in the library, beginning at `redwall::cli`.

fn main() -> std::process::ExitCode {
    redwall::cli::main()
}
