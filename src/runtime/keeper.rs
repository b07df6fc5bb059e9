//! The task that owns the store.
//!
//! Errands are done in order, each answered by one input of the node. Writes that wait together are
//! applied as one batch, because what costs is the flush to the disk, not the bytes; the batch is
//! still all or nothing, and each write is answered on its own.

use futures::channel::{mpsc, oneshot};
use futures::{SinkExt, StreamExt};

use crate::crypto::hash::Digest;
use crate::dag::BlobId;
use crate::effect::{Input, StoreFailed, Write};
use crate::node::Restored;
use crate::storage::{Any, Batch, Error, Store, Table};

/// Something to do with the store.
#[derive(Debug)]
pub(crate) enum Errand {
    /// Write durably. Answer: [`Input::Persisted`].
    Persist(Write),
    /// Read a blob. Answer: [`Input::BlobLoaded`].
    Load(BlobId),
    /// Say how many bytes are stored; `None` when the store cannot say.
    Bytes(oneshot::Sender<Option<u64>>),
    /// Close the store and end.
    Close(oneshot::Sender<()>),
}

/// Reads everything a node needs to start.
///
/// # Errors
/// When the store cannot be read, or holds what no node has written.
pub(crate) async fn restore(store: &Any) -> Result<Restored, Error> {
    let vertices = store.scan(Table::Vertices).await?;
    let blobs = store.keys(Table::Blobs).await?;
    let blobs = blobs.into_iter().map(|(key, size)| {
        let digest = <[u8; 32]>::try_from(key.as_slice())
            .map_err(|_| Error::Corrupt(format!("a blob under a key of {} bytes", key.len())))?;
        Ok((BlobId(Digest(digest)), size))
    });
    let meta = store.scan(Table::Meta).await?.into_iter().map(|(key, value)| {
        let name = String::from_utf8(key)
            .map_err(|_| Error::Corrupt("a setting whose name is no text".to_owned()))?;
        Ok((name, value))
    });
    let meta: Vec<(String, Vec<u8>)> = meta.collect::<Result<_, Error>>()?;
    let mut chunks = Vec::new();
    for chunk in crate::node::chunks_of(&meta) {
        chunks.extend(store.get(Table::Blobs, &chunk.0.0).await?);
    }
    Ok(Restored {
        blobs: blobs.collect::<Result<_, Error>>()?,
        meta,
        chunks,
        vertices: vertices.into_iter().map(|(_, bytes)| bytes).collect(),
    })
}

/// Works through errands until the last sender is gone or one says to close.
pub(crate) async fn keep(
    mut store: Any,
    mut errands: mpsc::Receiver<Errand>,
    mut answers: mpsc::Sender<Input>,
) {
    let mut ahead = None;
    loop {
        let errand = match ahead.take() {
            Some(errand) => errand,
            None => match errands.next().await {
                Some(errand) => errand,
                None => return store.close().await,
            },
        };
        match errand {
            Errand::Persist(first) => {
                let (batch, writes);
                (batch, writes, ahead) = gather(&first, &mut errands);
                let result = match batch {
                    Ok(batch) => store.apply(batch).await,
                    Err(error) => Err(error),
                };
                let result = result.map_err(|error| failed(&error));
                for write in writes {
                    tell(&mut answers, Input::Persisted { write, result: result.clone() }).await;
                }
            }
            Errand::Load(blob) => {
                let bytes = store.get(Table::Blobs, &blob.0.0).await.ok().flatten();
                tell(&mut answers, Input::BlobLoaded { blob, bytes }).await;
            }
            Errand::Bytes(asker) => {
                // Fails when the asker has gone, as below.
                let _ = asker.send(store.bytes().await.ok());
            }
            Errand::Close(asker) => {
                store.close().await;
                let _ = asker.send(());
                return;
            }
        }
    }
}

/// The batch of a write and of those that wait right behind it; their names; and the errand that
/// stopped the gathering.
fn gather(
    first: &Write,
    errands: &mut mpsc::Receiver<Errand>,
) -> (Result<Batch, Error>, Vec<u64>, Option<Errand>) {
    let mut writes = vec![first.write];
    let mut batch = match batch_of(first) {
        Ok(batch) => batch,
        Err(error) => return (Err(error), writes, None),
    };
    while let Ok(next) = errands.try_recv() {
        let Errand::Persist(write) = next else { return (Ok(batch), writes, Some(next)) };
        match batch_of(&write).map(|more| batch.merge(more)) {
            Ok(Ok(())) => writes.push(write.write),
            // Too much for one transaction, or a bad write that must fail alone.
            Ok(Err(_)) | Err(_) => return (Ok(batch), writes, Some(Errand::Persist(write))),
        }
    }
    (Ok(batch), writes, None)
}

fn batch_of(write: &Write) -> Result<Batch, Error> {
    let mut batch = Batch::new();
    for (id, bytes) in &write.vertices {
        batch.put(Table::Vertices, id.0.0.to_vec(), bytes.clone())?;
    }
    for (id, bytes) in &write.blobs {
        batch.put(Table::Blobs, id.0.0.to_vec(), bytes.clone())?;
    }
    for (name, bytes) in &write.meta {
        batch.put(Table::Meta, name.clone().into_bytes(), bytes.clone())?;
    }
    for id in &write.removed {
        batch.remove(Table::Vertices, id.0.0.to_vec())?;
    }
    for id in &write.removed_blobs {
        batch.remove(Table::Blobs, id.0.0.to_vec())?;
    }
    Ok(batch)
}

/// The loop reads answers whenever it waits for room among the errands, so this always goes on.
async fn tell(answers: &mut mpsc::Sender<Input>, input: Input) {
    // Fails when the loop has ended; then nobody waits.
    let _ = answers.send(input).await;
}

fn failed(error: &Error) -> StoreFailed {
    StoreFailed { full: matches!(error, Error::Full(_)), message: error.to_string() }
}
