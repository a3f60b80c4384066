//! Row 6: the time that opening takes tells nothing about what was wrong (Manger 2001, "Marvin" 2023).
//!
//! After Reparaz et al., "Dude, is my code constant time?" (2017): valid and invalid ciphertexts in random order, the
//! slow tail cropped, then compared. What is measured is the thread's own time on the processor, as a busy machine
//! makes anything of a stopwatch's. This sees differences of a good part of one opening: a second attempt, an early exit
//! before the private operation. The steps within OAEP take a thousandth of that, and are the library's own to test.

use std::hint::black_box;

use rustix::time::{ClockId, clock_gettime};

use super::{FILE, KEY_EPOCH};
use crate::crypto::keys::FileKey;
use crate::crypto::{ENVELOPE_BYTES, EnvelopePrivateKey, OpenError, Random, TestRandom, test_keys};

type Sealed = [u8; ENVELOPE_BYTES];

/// Of each kind, in one round.
const OPENINGS: usize = 30;
/// A leak must show in every one of these, in the same kind and direction.
const ROUNDS: u64 = 3;
/// Relative difference of the lower quartiles from which on it is a leak. What is slower than they are is mostly the
/// machine's noise.
const LEAK: f64 = 0.1;
/// Standard deviations of the rank-sum statistic from which on a difference is no chance.
const CERTAIN: f64 = 4.0;

/// A valid envelope, and after it each kind of invalid one. All numbers are from 2 to the modulus less 2: others are
/// refused before the private key is used, which tells nothing, as everybody can compare public numbers.
fn envelopes() -> Vec<(&'static str, Vec<Sealed>)> {
    let mut rng = TestRandom::new(6);
    let public = test_keys::alice().envelope.public();
    // The modulus ends before the five bytes of the exponent (`rsa`).
    let modulus = *public.spki()[..public.spki().len() - 5].last_chunk::<ENVELOPE_BYTES>().unwrap();
    let mut kinds =
        ["valid", "wrong label", "first byte flipped", "last byte flipped", "nearly zero", "junk"]
            .map(|kind| (kind, Vec::new()));
    // A few of each, so that no single number's quirk counts.
    while kinds[0].1.len() < 8 {
        let key = FileKey::generate(&mut rng);
        let valid = public.wrap_file_key(FILE, KEY_EPOCH, &key);
        let (mut first, mut last, mut junk) = (valid, valid, rng.array::<ENVELOPE_BYTES>());
        first[0] ^= 1;
        last[ENVELOPE_BYTES - 1] ^= 1;
        junk[0] &= 0x7f;
        let mut zeroes = [0; ENVELOPE_BYTES];
        zeroes[ENVELOPE_BYTES - 1] = 2;
        if first < modulus && last < modulus {
            let relabelled = public.wrap_file_key(FILE, KEY_EPOCH + 1, &key);
            for (kind, sealed) in kinds.iter_mut().zip([valid, relabelled, first, last, zeroes, junk]) {
                kind.1.push(sealed);
            }
        }
    }
    kinds.into()
}

/// Seconds that this thread has been on a processor.
fn processor_time() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}

/// Seconds of the openings of each kind, sorted.
fn measure(
    kinds: &[(&str, Vec<Sealed>)],
    round: u64,
    open: impl Fn(&Sealed) -> Result<FileKey, OpenError>,
) -> Vec<Vec<f64>> {
    let mut rng = TestRandom::new(round);
    let mut order: Vec<usize> = (0..kinds.len() * OPENINGS).collect();
    for at in (1..order.len()).rev() {
        let other = u64::from_be_bytes(rng.array()) % (at as u64 + 1);
        order.swap(at, usize::try_from(other).unwrap());
    }
    let mut times = vec![Vec::with_capacity(OPENINGS); kinds.len()];
    for turn in order {
        let (kind, number) = (turn % kinds.len(), turn / kinds.len());
        let sealed = &kinds[kind].1[number % kinds[kind].1.len()];
        let start = processor_time();
        let opened = black_box(open(black_box(sealed)));
        times[kind].push(processor_time() - start);
        assert_eq!(opened.is_ok(), kind == 0, "{}", kinds[kind].0);
    }
    for times in &mut times {
        times.sort_by(f64::total_cmp);
    }
    times
}

/// How much longer the second takes than the first, as a part of the first; 0 where that may be chance.
fn difference(first: &[f64], second: &[f64]) -> f64 {
    let quartile = |times: &[f64]| times[OPENINGS / 4];
    let relative = quartile(second) / quartile(first) - 1.0;
    // Mann and Whitney's U, which unlike Welch's t no single slow opening can bend.
    let count = OPENINGS as f64;
    let slower = second.iter().map(|time| first.partition_point(|other| other < time)).sum::<usize>() as f64;
    let deviation = (count * count * (2.0 * count + 1.0) / 12.0).sqrt();
    let deviations = (slower - count * count / 2.0) / deviation;
    if deviations.abs() > CERTAIN && deviations.signum() == relative.signum() { relative } else { 0.0 }
}

/// The kinds of invalid envelopes that an opener's time tells from valid ones, in every round. Stops at the first round
/// that tells none, as most do.
fn told_apart(open: impl Fn(&Sealed) -> Result<FileKey, OpenError>) -> Vec<(&'static str, f64)> {
    let kinds = envelopes();
    let mut told: Option<Vec<(&str, f64)>> = None;
    for round in 0..ROUNDS {
        let times = measure(&kinds, round, &open);
        let differences = kinds
            .iter()
            .zip(&times)
            .skip(1)
            .map(|((kind, _), invalid)| (*kind, difference(&times[0], invalid)));
        let leaks: Vec<(&str, f64)> = differences
            .inspect(|(kind, part)| println!("round {round}, {kind}: {:+.1} %", part * 100.0))
            .filter(|(kind, part)| {
                let before = told.as_ref().map(|told| told.iter().find(|(other, _)| other == kind));
                part.abs() > LEAK
                    && before.is_none_or(|found| found.is_some_and(|(_, other)| other * part > 0.0))
            })
            .collect();
        if leaks.is_empty() {
            return leaks;
        }
        told = Some(leaks);
    }
    told.unwrap_or_default()
}

fn open_with(key: &EnvelopePrivateKey, sealed: &Sealed) -> Result<FileKey, OpenError> {
    key.unwrap_file_key(FILE, KEY_EPOCH, sealed)
}

#[test]
fn row_06_the_time_of_opening_tells_nothing() {
    let alice = test_keys::alice().envelope;
    assert_eq!(told_apart(|sealed| open_with(&alice, sealed)), []);
}

/// The same statistic sees an opener that stops as soon as one of its two keys opens, as a member of a group has.
#[test]
fn row_06_the_time_of_a_naive_opening_tells() {
    let (alice, bob) = (test_keys::alice().envelope, test_keys::bob().envelope);
    let told = told_apart(|sealed| open_with(&alice, sealed).or_else(|_| open_with(&bob, sealed)));
    assert!(told.len() == 5 && told.iter().all(|(_, part)| *part > 0.5), "{told:?}");
}

/// And one that looks before it opens, and gives up early on what it takes for no ciphertext.
#[test]
fn row_06_the_time_of_an_early_exit_tells() {
    let alice = test_keys::alice().envelope;
    let told =
        told_apart(|sealed| if sealed[..8] == [0; 8] { Err(OpenError) } else { open_with(&alice, sealed) });
    let kinds: Vec<&str> = told.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, ["nearly zero"], "{told:?}");
}
