//! Writes the client and server of the service.

use tonic_build::manual::{Builder, Method, Service};

fn main() {
    let method = |name: &str, route: &str| {
        Method::builder()
            .name(name)
            .route_name(route)
            .input_type("crate::proto::Line")
            .codec_path("tonic_prost::ProstCodec")
    };
    let service = Service::builder()
        .name("Chat")
        .package("chat")
        .method(method("say", "Say").output_type("crate::proto::Receipt").build())
        .method(
            method("chat", "Chat")
                .output_type("crate::proto::Line")
                .client_streaming()
                .server_streaming()
                .build(),
        )
        .build();
    Builder::new().compile(&[service]);
}
