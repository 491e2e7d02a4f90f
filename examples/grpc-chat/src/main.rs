//! The server. `ADMIN_KEY` in its environment lets those who have the key profile it, from this machine only.

use std::error::Error;
use std::net::SocketAddr;

use grpc_chat::Room;
use grpc_chat::proto::chat_server::ChatServer;
use tonic::transport::Server;

#[global_allocator]
static ALLOC: oxprof::Heap = oxprof::Heap::system();

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    common::log_to_stderr();
    // On 127.0.0.1:6060, or PPROF_PORT, unless there is no key. It ends with this function, and so with the server.
    let profiling = oxprof::Config::from_env()?;
    let has_key = std::env::var_os("ADMIN_KEY").is_some_and(|key| !key.is_empty());
    let _pprof = profiling.or(oxprof::Config::new().enabled(has_key)).serve()?;

    let address: SocketAddr =
        std::env::var("CHAT_ADDR").as_deref().unwrap_or("127.0.0.1:50051").parse()?;
    log::info!("chat on {address}");
    let chat = ChatServer::new(Room::default());
    Server::builder().add_service(chat).serve_with_shutdown(address, common::shutdown()).await?;
    Ok(())
}
