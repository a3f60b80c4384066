//! Server and client over a real socket.
