//! A block as bytes: numbers of variable length, times as distances from each other.
//!
//! The form is private to one version of the program's data: a block that cannot be read, or was written
//! in another form, is made again from the incidents.

use super::facts::{Block, Detection, Fact, FirstSuspect, NO_TIME, STATES, Standing, Times};
use crate::incidents::model::MilestoneName;

/// Raised with every change of the form below.
const FORM: u8 = 1;

pub fn encode(block: &Block) -> Vec<u8> {
    let mut out = vec![FORM];
    number(&mut out, block.sets.len() as u64);
    for set in &block.sets {
        number(&mut out, set.len() as u64);
        for id in set {
            signed(&mut out, *id);
        }
    }
    number(&mut out, block.names.len() as u64);
    for name in &block.names {
        number(&mut out, name.len() as u64);
        out.extend_from_slice(name.as_bytes());
    }
    number(&mut out, block.raws.len() as u64);
    block.raws.iter().for_each(|raw| times(&mut out, raw));
    number(&mut out, block.facts.len() as u64);
    let mut before = 0;
    for fact in &block.facts {
        signed(&mut out, fact.number - before);
        before = fact.number;
        one(&mut out, fact);
    }
    out
}

fn one(out: &mut Vec<u8>, fact: &Fact) {
    let place = |all: usize| u8::try_from(all).unwrap_or(0);
    out.push(
        (fact.severity.saturating_sub(1) & 3)
            | (fact.standing as u8) << 2
            | u8::from(fact.open) << 4
            | u8::from(fact.private) << 5
            | (fact.first_suspect as u8) << 6,
    );
    out.extend([place(fact.detection as usize) | u8::from(fact.backfilled) << 7, fact.reopened, fact.runs]);
    for place in [fact.raw, fact.set, fact.cause, fact.environment] {
        number(out, u64::from(place));
    }
    times(out, &fact.times);
    for span in fact.states.iter().chain([&fact.silence]) {
        number(out, u64::try_from(span + 1).unwrap_or(0));
    }
}

/// Which are known, the first of them, and each other as its distance from the one before.
fn times(out: &mut Vec<u8>, times: &Times) {
    let mask = times.0.iter().enumerate().fold(0_u8, |m, (i, at)| if *at == NO_TIME { m } else { m | 1 << i });
    out.push(mask);
    let mut before = 0;
    for at in times.known() {
        signed(out, at.wrapping_sub(before));
        before = at;
    }
}

fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 128")]
    out.push(value as u8);
}

#[expect(clippy::cast_sign_loss, reason = "zigzag: the sign becomes the lowest bit")]
fn signed(out: &mut Vec<u8>, value: i64) {
    number(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// `None` for bytes that are no block of this form.
pub fn decode(bytes: &[u8]) -> Option<Block> {
    let mut reader = Reader { bytes, at: 0 };
    if reader.byte()? != FORM {
        return None;
    }
    let sets = reader.list(|r| r.list(Reader::signed))?;
    let names = reader.list(|r| {
        let length = usize::try_from(r.number()?).ok()?;
        let end = r.at.checked_add(length)?;
        let text = std::str::from_utf8(r.bytes.get(r.at..end)?).ok()?.to_owned();
        r.at = end;
        Some(text)
    })?;
    let raws = reader.list(Reader::times)?;
    let mut before = 0_i64;
    let facts = reader.list(|r| {
        before = before.checked_add(r.signed()?)?;
        r.fact(before)
    })?;
    (reader.at == bytes.len()).then_some(Block { facts, sets, names, raws })
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied()?;
        self.at += 1;
        Some(byte)
    }

    fn number(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let value = self.number()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = usize::try_from(self.number()?).ok()?;
        // Each item takes a byte at least, so a wild length cannot ask for more memory than there is text.
        if length > self.bytes.len() - self.at {
            return None;
        }
        let mut items = Vec::with_capacity(length);
        for _ in 0..length {
            items.push(item(self)?);
        }
        Some(items)
    }

    fn place(&mut self) -> Option<u16> {
        u16::try_from(self.number()?).ok()
    }

    fn times(&mut self) -> Option<Times> {
        let mask = self.byte()?;
        let mut times = [NO_TIME; MilestoneName::COUNT];
        let mut before = 0_i64;
        for (i, slot) in times.iter_mut().enumerate() {
            if mask & 1 << i != 0 {
                before = before.wrapping_add(self.signed()?);
                *slot = before;
            }
        }
        Some(Times(times))
    }

    fn span(&mut self) -> Option<i64> {
        i64::try_from(self.number()?).ok()?.checked_sub(1)
    }

    fn fact(&mut self, number: i64) -> Option<Fact> {
        let head = self.byte()?;
        let how = self.byte()?;
        let detection = *Detection::ALL.get(usize::from(how & 0x7f))?;
        let (reopened, runs) = (self.byte()?, self.byte()?);
        let (raw, set, cause, environment) = (self.place()?, self.place()?, self.place()?, self.place()?);
        let times = self.times()?;
        let mut states = [-1; STATES.len()];
        for slot in &mut states {
            *slot = self.span()?;
        }
        Some(Fact {
            number,
            times,
            states,
            silence: self.span()?,
            raw,
            set,
            cause,
            environment,
            severity: (head & 3) + 1,
            standing: *Standing::ALL.get(usize::from(head >> 2 & 3))?,
            open: head >> 4 & 1 == 1,
            private: head >> 5 & 1 == 1,
            backfilled: how >> 7 == 1,
            detection,
            first_suspect: *FirstSuspect::ALL.get(usize::from(head >> 6))?,
            reopened,
            runs,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::facts::Loose;
    use super::*;

    fn any_times() -> impl Strategy<Value = Times> {
        prop::array::uniform8(prop_oneof![
            Just(NO_TIME),
            -62_135_596_800_000_000_i64..=253_402_300_799_999_999,
            1_700_000_000_000_000_i64..1_700_100_000_000_000,
        ])
        .prop_map(Times)
    }

    prop_compose! {
        fn any_incident()(
            number in 1_i64..4_096,
            (times, raw) in (any_times(), any_times()),
            corrected in any::<bool>(),
            states in prop::array::uniform4(-1_i64..90_000_000_000),
            silence in -1_i64..90_000_000_000,
            services in prop::collection::vec(1_i64..9, 0..3),
            (cause, environment) in ("[a-z]{0,3}", "[a-z]{0,2}"),
            (severity, standing, detection) in (1_u8..=4, 0_usize..4, 0_usize..8),
            (open, private, backfilled, suspect) in (any::<bool>(), any::<bool>(), any::<bool>(), 0_usize..3),
            (reopened, runs) in (any::<u8>(), any::<u8>()),
        ) -> Loose {
            let fact = Fact {
                times, states, silence, severity, open, private, backfilled, reopened, runs,
                standing: Standing::ALL[standing],
                detection: Detection::ALL[detection],
                first_suspect: FirstSuspect::ALL[suspect],
                ..Fact::empty(number)
            };
            Loose { fact, raw: if corrected { raw } else { times }, services, cause, environment }
        }
    }

    proptest! {
        #[test]
        fn a_block_reads_back_as_it_was(incidents in prop::collection::vec(any_incident(), 0..40)) {
            let block = Block::new(incidents);
            let bytes = encode(&block);
            prop_assert_eq!(decode(&bytes), Some(block));
        }

        #[test]
        fn replacing_equals_building_anew(
            mut all in prop::collection::vec(any_incident(), 1..40), fresh in prop::collection::vec(any_incident(), 0..10),
        ) {
            all.sort_by_key(|i| i.fact.number);
            all.dedup_by_key(|i| i.fact.number);
            let mut fresh = fresh;
            fresh.sort_by_key(|i| i.fact.number);
            fresh.dedup_by_key(|i| i.fact.number);
            let gone: Vec<i64> = fresh.iter().map(|i| i.fact.number).collect();
            let replaced = Block::new(all.clone()).replaced(&gone, fresh.clone());
            all.retain(|i| !gone.contains(&i.fact.number));
            all.extend(fresh);
            prop_assert_eq!(replaced, Block::new(all));
        }

        #[test]
        fn broken_bytes_are_refused_and_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn a_cut_block_is_refused(incidents in prop::collection::vec(any_incident(), 1..10), cut in 0.0..1.0_f64) {
            let bytes = encode(&Block::new(incidents));
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in the bytes")]
            let end = (bytes.len() as f64 * cut) as usize;
            prop_assert_eq!(decode(&bytes[..end]), None);
        }
    }
}
