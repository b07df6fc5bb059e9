//! Requests and responses on a stream: four bytes of length, little-endian, then the message.
//!
//! A length above the bound of its direction is refused before anything is allocated, and what is
//! allocated grows with what arrives, not with what is promised. One stream carries one request and
//! one response; what follows is not read.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;
use libp2p::request_response;

/// Raw bytes with a length before them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Codec {
    request_bytes_max: usize,
    response_bytes_max: usize,
}

impl Codec {
    /// With the bounds of one protocol.
    pub(crate) fn new(request_bytes_max: usize, response_bytes_max: usize) -> Self {
        Self { request_bytes_max, response_bytes_max }
    }
}

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io, self.request_bytes_max).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io, self.response_bytes_max).await
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        request: Vec<u8>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &request, self.request_bytes_max).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        response: Vec<u8>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &response, self.response_bytes_max).await
    }
}

async fn read(io: &mut (impl AsyncRead + Unpin), most: usize) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    io.read_exact(&mut length).await?;
    let length = u32::from_le_bytes(length);
    let bounded = usize::try_from(length).is_ok_and(|length| length <= most);
    if !bounded {
        let message = format!("a message of {length} bytes; at most {most} are read");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let mut bytes = Vec::new();
    io.take(u64::from(length)).read_to_end(&mut bytes).await?;
    if u32::try_from(bytes.len()) == Ok(length) {
        Ok(bytes)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

async fn write(io: &mut (impl AsyncWrite + Unpin), bytes: &[u8], most: usize) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= most);
    let Some(length) = length else {
        let message = format!("a message of {} bytes; at most {most} are sent", bytes.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    };
    io.write_all(&length.to_le_bytes()).await?;
    io.write_all(bytes).await?;
    io.flush().await
}
