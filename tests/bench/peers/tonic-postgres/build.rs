// Stubs from the project's .proto files, by the protoc of the PATH.
fn main() -> std::io::Result<()> {
    tonic_prost_build::configure()
        .build_client(false)
        .generate_default_stubs(true)
        .compile_protos(&["prbal/v1/listing.proto"], &["../../../../proto"])
}
