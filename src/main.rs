//! The binary: everything is in the library.

fn main() -> std::process::ExitCode {
    css_vpcep_exporter::cli::main()
}
