//! As much of protocol buffers as two messages of two fields need: reading is total, and fields of
//! other numbers are skipped, as the format asks for, so that later versions can be read.

use super::Error;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Of a fixed size: no message here has one.
    Other,
}

/// The longest varint of 64 bits, in bytes.
const VARINT_BYTES_MAX: usize = 10;

const TRUNCATED: Error = Error::Message("it is cut off");

/// Reads a varint at the beginning of `bytes`: the number and what follows; `None` when more bytes
/// are needed.
pub(super) fn varint(bytes: &[u8]) -> Result<Option<(u64, &[u8])>, Error> {
    let mut value = 0;
    for (place, byte) in bytes.iter().take(VARINT_BYTES_MAX).enumerate() {
        let part = u64::from(byte & 0x7f);
        if place + 1 == VARINT_BYTES_MAX && part > 1 {
            break;
        }
        value |= part << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(bytes.get(place + 1..).map(|rest| (value, rest)));
        }
    }
    if bytes.len() < VARINT_BYTES_MAX {
        return Ok(None);
    }
    Err(Error::Message("a number does not fit 64 bits"))
}

/// Writes a varint.
pub(super) fn put_varint(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap_or(0) | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap_or(0));
}

/// Takes one field off `bytes`: its number and value; `None` at the end.
pub(super) fn field<'a>(bytes: &mut &'a [u8]) -> Result<Option<(u64, Value<'a>)>, Error> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let tag = number(bytes)?;
    let value = match tag & 7 {
        0 => Value::Number(number(bytes)?),
        1 => take(bytes, 8).map(|_| Value::Other)?,
        2 => {
            let length = number(bytes)?;
            let length = usize::try_from(length).map_err(|_| TRUNCATED)?;
            Value::Bytes(take(bytes, length)?)
        }
        5 => take(bytes, 4).map(|_| Value::Other)?,
        _ => return Err(Error::Message("a field of an unknown kind")),
    };
    Ok(Some((tag >> 3, value)))
}

fn number(bytes: &mut &[u8]) -> Result<u64, Error> {
    let (value, rest) = varint(bytes)?.ok_or(TRUNCATED)?;
    *bytes = rest;
    Ok(value)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], Error> {
    let (taken, rest) = bytes.split_at_checked(length).ok_or(TRUNCATED)?;
    *bytes = rest;
    Ok(taken)
}
