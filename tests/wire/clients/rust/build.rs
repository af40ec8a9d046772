// Stubs from the project's .proto files, by the protoc of the PATH.
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let protos = PathBuf::from(std::env::var("PROTO_PATH")?);
    let files = [
        "grpc/health/v1/health.proto",
        "prbal/v1/auth.proto",
        "prbal/v1/catalog.proto",
        "prbal/v1/chat.proto",
        "prbal/v1/event.proto",
        "prbal/v1/system.proto",
        "prbal/v1/user.proto",
    ];
    let paths: Vec<PathBuf> = files.iter().map(|file| protos.join(file)).collect();
    tonic_build::configure()
        .build_server(false)
        .include_file("api.rs")
        .compile_protos(&paths, &[protos])?;
    println!("cargo:rerun-if-env-changed=PROTO_PATH");
    Ok(())
}
