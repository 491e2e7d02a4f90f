//! DNS messages (RFC 1035), as far as a forwarder needs to understand them.

use std::fmt;
use std::net::Ipv4Addr;

/// Type of an IPv4 address.
pub(crate) const A: u16 = 1;
const CLASS_IN: u16 = 1;
const HEADER: usize = 12;
/// The type of EDNS's pseudo record, whose TTL is none.
const OPT: u16 = 41;

/// Answer codes.
pub(crate) const NAME_ERROR: u8 = 3;
pub(crate) const SERVER_FAILURE: u8 = 2;

/// A message that breaks the rules.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the message is malformed")
    }
}

/// What somebody wants to know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    /// In lower case, without the dot at its end.
    pub name: String,
    pub kind: u16,
}

/// The id of a message and its first question.
pub(crate) fn question(message: &[u8]) -> Result<(u16, Question), Malformed> {
    if u16_at(message, 4)? == 0 {
        return Err(Malformed);
    }
    let (name, end) = name(message, HEADER)?;
    Ok((u16_at(message, 0)?, Question { name, kind: u16_at(message, end)? }))
}

/// A message that asks `question`.
pub(crate) fn ask(id: u16, question: &Question) -> Vec<u8> {
    let mut out = header(id, 0x0100, 0);
    push_question(&mut out, question);
    out
}

/// An answer with these addresses.
pub(crate) fn answer(id: u16, question: &Question, addresses: &[Ipv4Addr], ttl: u32) -> Vec<u8> {
    let mut out = header(id, 0x8180, addresses.len() as u16);
    push_question(&mut out, question);
    for address in addresses {
        // The name is that of the question, at the start of it.
        out.extend([0xc0, HEADER as u8]);
        out.extend(A.to_be_bytes());
        out.extend(CLASS_IN.to_be_bytes());
        out.extend(ttl.to_be_bytes());
        out.extend(4u16.to_be_bytes());
        out.extend(address.octets());
    }
    out
}

/// An answer that says why there is none.
pub(crate) fn failure(id: u16, question: &Question, code: u8) -> Vec<u8> {
    let mut out = header(id, 0x8180 | u16::from(code), 0);
    push_question(&mut out, question);
    out
}

/// Gives a message another id.
pub(crate) fn set_id(message: &mut [u8], id: u16) {
    message[..2].copy_from_slice(&id.to_be_bytes());
}

/// What an answer says: its code, where its times to live stand, and the addresses in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub code: u8,
    pub ttls: Vec<usize>,
    pub addresses: Vec<Ipv4Addr>,
}

impl Answer {
    /// Looks through a message.
    pub(crate) fn read(message: &[u8]) -> Result<Self, Malformed> {
        let mut answer = Self { code: message.get(3).ok_or(Malformed)? & 15, ..Self::default() };
        let mut at = HEADER;
        for _ in 0..u16_at(message, 4)? {
            at = name(message, at)?.1 + 4;
        }
        let records: u32 =
            [6, 8, 10].iter().map(|&i| u16_at(message, i).map(u32::from)).sum::<Result<_, _>>()?;
        for _ in 0..records {
            at = answer.record(message, at)?;
        }
        Ok(answer)
    }

    /// Reads one record; where the next one is.
    fn record(&mut self, message: &[u8], at: usize) -> Result<usize, Malformed> {
        let (_, at) = name(message, at)?;
        let (kind, length) = (u16_at(message, at)?, usize::from(u16_at(message, at + 8)?));
        let data = message.get(at + 10..at + 10 + length).ok_or(Malformed)?;
        if kind != OPT {
            self.ttls.push(at + 4);
        }
        if let (A, [a, b, c, d]) = (kind, data) {
            self.addresses.push(Ipv4Addr::new(*a, *b, *c, *d));
        }
        Ok(at + 10 + length)
    }

    /// The shortest time to live, in seconds; `None` if there are no records.
    pub(crate) fn ttl(&self, message: &[u8]) -> Option<u32> {
        let at = |&i: &usize| u32::from_be_bytes(message[i..i + 4].try_into().expect("four bytes"));
        self.ttls.iter().map(at).min()
    }
}

/// Takes the time that an answer was kept off its times to live.
pub(crate) fn age(message: &mut [u8], ttls: &[usize], seconds: u32) {
    for &i in ttls {
        let field: &mut [u8; 4] = (&mut message[i..i + 4]).try_into().expect("four bytes");
        *field = u32::from_be_bytes(*field).saturating_sub(seconds).to_be_bytes();
    }
}

fn header(id: u16, flags: u16, answers: u16) -> Vec<u8> {
    [id, flags, 1, answers, 0, 0].into_iter().flat_map(u16::to_be_bytes).collect()
}

fn push_question(out: &mut Vec<u8>, question: &Question) {
    for label in question.name.split('.').filter(|label| !label.is_empty()) {
        let label = &label.as_bytes()[..label.len().min(63)];
        out.push(label.len() as u8);
        out.extend(label);
    }
    out.push(0);
    out.extend(question.kind.to_be_bytes());
    out.extend(CLASS_IN.to_be_bytes());
}

fn u16_at(message: &[u8], at: usize) -> Result<u16, Malformed> {
    let bytes = message.get(at..at + 2).ok_or(Malformed)?;
    Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
}

/// The name at a place, in lower case, and what follows it. Pointers may only lead back, so that this ends.
fn name(message: &[u8], start: usize) -> Result<(String, usize), Malformed> {
    let (mut text, mut at, mut end) = (String::new(), start, None);
    loop {
        let length = usize::from(*message.get(at).ok_or(Malformed)?);
        if length == 0 {
            return Ok((text, end.unwrap_or(at + 1)));
        }
        if length & 0xc0 == 0xc0 {
            let to = usize::from(u16_at(message, at)? & 0x3fff);
            end = end.or(Some(at + 2));
            if to >= at {
                return Err(Malformed);
            }
            at = to;
            continue;
        }
        let label =
            message.get(at + 1..at + 1 + length).filter(|_| length < 64).ok_or(Malformed)?;
        if !text.is_empty() {
            text.push('.');
        }
        text.extend(label.iter().map(|&byte| char::from(byte.to_ascii_lowercase())));
        if text.len() > 255 {
            return Err(Malformed);
        }
        at += 1 + length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn www() -> Question {
        Question { name: "www.example".into(), kind: A }
    }

    #[test]
    fn questions_are_read_as_written() {
        let mut asked = ask(7, &www());
        assert_eq!(question(&asked), Ok((7, www())));
        asked[13] = b'W';
        assert_eq!(question(&asked), Ok((7, www())));
    }

    #[test]
    fn answers_age() {
        let address = Ipv4Addr::new(10, 0, 0, 1);
        let mut message = answer(7, &www(), &[address, address], 300);
        let read = Answer::read(&message).unwrap();
        assert_eq!((read.addresses.len(), read.ttl(&message), read.code), (2, Some(300), 0));
        age(&mut message, &read.ttls, 100);
        assert_eq!(read.ttl(&message), Some(200));
        assert_eq!(Answer::read(&failure(7, &www(), NAME_ERROR)).unwrap().code, NAME_ERROR);
    }

    #[test]
    fn nonsense_is_refused() {
        let whole = answer(7, &www(), &[Ipv4Addr::LOCALHOST], 300);
        for end in 0..whole.len() {
            assert!(Answer::read(&whole[..end]).is_err(), "{end}");
        }
        let mut looping = ask(7, &www());
        looping[12..14].copy_from_slice(&[0xc0, 12]);
        assert_eq!(question(&looping), Err(Malformed));
    }
}
