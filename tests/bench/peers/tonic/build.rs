// Stubs from the project's .proto files, by the protoc of the PATH. Payloads are
// Bytes: what came in is not copied into the message.
const FOLDERS: [&str; 3] = ["../../../../proto", "../../../rpc", ".."];

fn main() -> std::io::Result<()> {
    let configure = || {
        tonic_prost_build::configure()
            .build_client(false)
            .bytes(".prbal")
    };
    configure()
        .generate_default_stubs(true)
        .compile_protos(&["testservice.proto"], &FOLDERS)?;
    configure()
        .codec_path("crate::streams::SmallBufferCodec")
        .compile_protos(&["streams.proto"], &FOLDERS)
}
