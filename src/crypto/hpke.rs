//! HPKE (RFC 9180): sealing bytes for the holder of a public key, who may be away.
//!
//! Mode base, one message per encapsulation; the suite is X-Wing (KEM 0x647a), HKDF-SHA256 (KDF 1)
//! and ChaCha20-Poly1305 (AEAD 3). The key schedule is that of section 5.1, held to the RFC's own
//! vectors and, for the whole suite, to those of draft-ietf-hpke-pq. The crate `hpke` is not used:
//! with X-Wing it brings second versions of what is in the graph already, and this is two pages.
//!
//! Base mode names no sender. Who needs one binds it into `info` and signs what carries the result.
//! Nothing here is forward secret: who gets the receiver's key later reads what was sealed before.

use chacha20poly1305::aead::generic_array::GenericArray;
use chacha20poly1305::{AeadInPlace as _, ChaCha20Poly1305, KeyInit as _};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::kem::{CIPHERTEXT_BYTES, COINS_BYTES, DecapsulationKey, EncapsulationKey, Shared};

/// Bytes by which what is sealed is longer: a ciphertext of the KEM and a tag.
pub const OVERHEAD_BYTES: usize = CIPHERTEXT_BYTES + TAG_BYTES;

const TAG_BYTES: usize = 16;
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
/// "HPKE", then the codes of KEM, KDF and AEAD.
const SUITE: &[u8; 10] = b"HPKE\x64\x7a\x00\x01\x00\x03";
const MODE_BASE: u8 = 0;

/// It does not open: it was changed, or sealed for another key, information or data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it was changed, or not sealed with this key for this use")]
pub struct NotOpened;

/// Seals `plain` for the holder of `key`: the KEM's ciphertext, the sealed bytes, a tag. `coins`
/// are fresh randomness.
///
/// # Panics
/// Never: a text in memory is shorter than the 256 GiB that one nonce is good for.
pub fn seal(
    key: &EncapsulationKey,
    coins: &[u8; COINS_BYTES],
    (info, aad): (&[u8], &[u8]),
    plain: &[u8],
) -> Vec<u8> {
    let (ciphertext, shared) = key.encapsulate(coins);
    let mut sealed = Vec::with_capacity(OVERHEAD_BYTES + plain.len());
    sealed.extend_from_slice(&ciphertext);
    sealed.extend_from_slice(plain);
    let body = sealed.get_mut(CIPHERTEXT_BYTES..).unwrap_or_default();
    let Schedule { key, nonce, .. } = Schedule::new(SUITE, &shared, info);
    let tag = ChaCha20Poly1305::new(GenericArray::from_slice(key.as_ref()))
        .encrypt_in_place_detached(GenericArray::from_slice(&nonce), aad, body)
        .expect("a text in memory is shorter than the 256 GiB of one nonce");
    sealed.extend_from_slice(&tag);
    sealed
}

/// Opens what [`seal`] gave.
///
/// # Errors
/// [`NotOpened`].
pub fn open(
    key: &DecapsulationKey,
    (info, aad): (&[u8], &[u8]),
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
    let (ciphertext, body) = sealed.split_first_chunk().ok_or(NotOpened)?;
    let (body, tag) = body.split_last_chunk::<TAG_BYTES>().ok_or(NotOpened)?;
    let Schedule { key, nonce, .. } = Schedule::new(SUITE, &key.decapsulate(ciphertext), info);
    let mut plain = Zeroizing::new(body.to_vec());
    ChaCha20Poly1305::new(GenericArray::from_slice(key.as_ref()))
        .decrypt_in_place_detached(
            GenericArray::from_slice(&nonce),
            aad,
            &mut plain,
            GenericArray::from_slice(tag),
        )
        .map_err(|_| NotOpened)?;
    Ok(plain)
}

/// Begins an exchange with the holder of `key` without sealing anything: the KEM's ciphertext, and
/// the secrets that both sides export (section 5.3). `coins` are fresh randomness.
pub fn setup_sender(
    key: &EncapsulationKey,
    coins: &[u8; COINS_BYTES],
    info: &[u8],
) -> ([u8; CIPHERTEXT_BYTES], Exporter) {
    let (ciphertext, shared) = key.encapsulate(coins);
    (ciphertext, Schedule::new(SUITE, &shared, info).exporter)
}

/// The other side of [`setup_sender`]. A ciphertext that was changed, or made for another key or
/// `info`, gives other secrets: what is sealed with them shows it.
pub fn setup_receiver(
    key: &DecapsulationKey,
    ciphertext: &[u8; CIPHERTEXT_BYTES],
    info: &[u8],
) -> Exporter {
    Schedule::new(SUITE, &key.decapsulate(ciphertext), info).exporter
}

/// Secrets that the two sides of an exchange share, by name.
pub struct Exporter {
    suite: [u8; 10],
    secret: Zeroizing<[u8; KEY_BYTES]>,
}

impl Exporter {
    /// `Export` of section 5.3: fills `out`, at most 8,160 bytes, with the secret of this name.
    ///
    /// # Panics
    /// When `out` is longer.
    pub fn export(&self, name: &[u8], out: &mut [u8]) {
        let secret = Hkdf::from_prk(self.secret.as_ref()).expect("the secret is one hash long");
        labeled_expand(&self.suite, &secret, b"sec", name, out);
    }
}

impl std::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Exporter(redacted)")
    }
}

/// `KeySchedule` of section 5.1, for the one message with sequence number 0.
struct Schedule {
    key: Zeroizing<[u8; KEY_BYTES]>,
    nonce: [u8; NONCE_BYTES],
    exporter: Exporter,
}

impl Schedule {
    fn new(suite: &[u8; 10], shared: &Shared, info: &[u8]) -> Self {
        let (psk_id_hash, _) = labeled_extract(suite, &[], b"psk_id_hash", &[]);
        let (info_hash, _) = labeled_extract(suite, &[], b"info_hash", info);
        let context = [&[MODE_BASE][..], &psk_id_hash[..], &info_hash[..]].concat();
        let (_, secret) = labeled_extract(suite, shared.as_ref(), b"secret", &[]);
        let mut master = Zeroizing::new([0; KEY_BYTES]);
        labeled_expand(suite, &secret, b"exp", &context, master.as_mut());
        let exporter = Exporter { suite: *suite, secret: master };
        let mut schedule = Self { key: Zeroizing::default(), nonce: [0; NONCE_BYTES], exporter };
        labeled_expand(suite, &secret, b"key", &context, schedule.key.as_mut());
        labeled_expand(suite, &secret, b"base_nonce", &context, &mut schedule.nonce);
        schedule
    }
}

/// `LabeledExtract` of section 4.
fn labeled_extract(
    suite: &[u8; 10],
    salt: &[u8],
    label: &[u8],
    ikm: &[u8],
) -> (Zeroizing<[u8; 32]>, Hkdf<Sha256>) {
    let ikm = Zeroizing::new([b"HPKE-v1", &suite[..], label, ikm].concat());
    let (prk, hkdf) = Hkdf::<Sha256>::extract(Some(salt), &ikm);
    (Zeroizing::new(prk.into()), hkdf)
}

/// `LabeledExpand` of section 4, filling `out`: at most 255 * 32 bytes.
fn labeled_expand(suite: &[u8; 10], prk: &Hkdf<Sha256>, label: &[u8], info: &[u8], out: &mut [u8]) {
    let length = u16::try_from(out.len()).expect("8,160 bytes are short").to_be_bytes();
    prk.expand_multi_info(&[&length, b"HPKE-v1", suite, label, info], out)
        .expect("what is asked for is not longer than 255 hashes");
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use serde_json::Value;

    use super::*;
    use crate::crypto::secret::Secret;

    const VECTORS: &str = include_str!("../../tests/vectors/hpke.json");

    fn bytes(case: &Value, name: &str) -> Vec<u8> {
        HEXLOWER.decode(case[name].as_str().unwrap().as_bytes()).unwrap()
    }

    fn array<const N: usize>(case: &Value, name: &str) -> [u8; N] {
        bytes(case, name).try_into().unwrap()
    }

    fn vector(name: &str) -> Value {
        serde_json::from_str::<Value>(VECTORS).unwrap()[name].clone()
    }

    /// The whole suite: what the draft's program sealed.
    fn sealed(case: &Value) -> Vec<u8> {
        [bytes(case, "enc"), bytes(&case["encryptions"][0], "ct")].concat()
    }

    fn key(case: &Value) -> DecapsulationKey {
        DecapsulationKey::from_seed(&Secret::copy_from(&array(case, "skRm")))
    }

    #[test]
    fn the_key_schedule_gives_what_the_rfc_and_the_draft_say() {
        for name in ["rfc9180", "xwing"] {
            let case = vector(name);
            let shared = Zeroizing::new(array(&case, "shared_secret"));
            let suite = array(&case, "suite_id");
            let schedule = Schedule::new(&suite, &shared, &bytes(&case, "info"));
            assert_eq!(*schedule.key, array(&case, "key"), "{name}");
            assert_eq!(schedule.nonce, array(&case, "base_nonce"), "{name}");
        }
    }

    #[test]
    fn exported_secrets_are_those_of_the_rfc_and_the_same_on_both_sides() {
        let case = vector("rfc9180");
        let shared = Zeroizing::new(array(&case, "shared_secret"));
        let info = bytes(&case, "info");
        let exporter = Schedule::new(&array(&case, "suite_id"), &shared, &info).exporter;
        let exports = case["exports"].as_array().unwrap();
        assert_eq!(exports.len(), 3);
        for export in exports {
            let mut value = [0; 32];
            exporter.export(&bytes(export, "exporter_context"), &mut value);
            assert_eq!(value, array(export, "exported_value"));
        }
        let (case, info) = (vector("xwing"), bytes(&vector("xwing"), "info"));
        let public = EncapsulationKey::from_bytes(&bytes(&case, "pkRm")).unwrap();
        let (ciphertext, here) = setup_sender(&public, &array(&case, "ikmE"), &info);
        assert_eq!(ciphertext[..], bytes(&case, "enc"));
        let secret = Zeroizing::new(array(&case, "exporter_secret"));
        let draft = Exporter { suite: array(&case, "suite_id"), secret };
        let there = setup_receiver(&key(&case), &ciphertext, &info);
        let other = setup_receiver(&key(&case), &ciphertext, b"other");
        let [mut a, mut b, mut c, mut d] = [[0; 100]; 4];
        here.export(b"name", &mut a);
        there.export(b"name", &mut b);
        draft.export(b"name", &mut c);
        other.export(b"name", &mut d);
        assert!(a == b && b == c && a != d);
    }

    #[test]
    fn what_the_draft_sealed_opens_and_is_sealed_alike() {
        let (case, first) = (vector("xwing"), vector("xwing")["encryptions"][0].clone());
        let (info, aad, plain) = (bytes(&case, "info"), bytes(&first, "aad"), bytes(&first, "pt"));
        let opened = open(&key(&case), (&info, &aad), &sealed(&case)).unwrap();
        assert_eq!(*opened, plain);
        let public = EncapsulationKey::from_bytes(&bytes(&case, "pkRm")).unwrap();
        let again = seal(&public, &array(&case, "ikmE"), (&info, &aad), &plain);
        assert_eq!(again, sealed(&case));
    }

    #[test]
    fn whatever_was_changed_does_not_open() {
        let case = vector("xwing");
        let (info, aad) = (bytes(&case, "info"), bytes(&case["encryptions"][0], "aad"));
        let (key, sealed) = (key(&case), sealed(&case));
        for place in [0, 1_087, 1_088, 1_119, CIPHERTEXT_BYTES, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[place] ^= 0x80;
            let opened = open(&key, (&info, &aad), &changed);
            // X25519 ignores the highest bit of a point, but the combiner hashes it.
            assert_eq!(opened, Err(NotOpened), "{place}");
        }
        assert_eq!(open(&key, (b"other", &aad), &sealed), Err(NotOpened));
        assert_eq!(open(&key, (&info, b"other"), &sealed), Err(NotOpened));
        let other = DecapsulationKey::from_seed(&Secret::copy_from(&[7; 32]));
        assert_eq!(open(&other, (&info, &aad), &sealed), Err(NotOpened));
        for length in [0, CIPHERTEXT_BYTES, OVERHEAD_BYTES - 1, OVERHEAD_BYTES] {
            assert_eq!(open(&key, (&info, &aad), &sealed[..length]), Err(NotOpened));
        }
    }
}
