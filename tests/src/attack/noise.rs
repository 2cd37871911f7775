//! Bytes that nobody meant: requests in which something is changed, left out or doubled, from a seed (D20).

use std::io::{Read, Write};

use super::trial::{Came, Trial, ensure, good, survived};
use crate::{Error, Target};

pub(super) const TRIALS: &[Trial] = &[
    Trial {
        name: "noise::changed_requests_are_never_a_500",
        attacks: &["D20"],
        title: "A thousand good requests with bytes changed are answered or cut, and never by 500",
        body: changed_requests_are_never_a_500,
    },
    Trial {
        name: "noise::changed_hellos_are_refused",
        attacks: &["D20", "A18"],
        title: "Five hundred ClientHellos with bytes changed end in an alert or a ServerHello, and nobody else notices",
        body: changed_hellos_are_refused,
    },
];

/// Numbers that are the same each time (xorshift64, Marsaglia 2003).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound.max(1)).unwrap_or(1)).unwrap_or_default()
    }

    /// One to four changes: a bit flipped, a byte left out, put in or doubled, the rest cut off.
    fn change(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let (at, kind) = (self.below(bytes.len()), self.below(8));
            let byte = u8::try_from(self.below(256)).unwrap_or_default();
            match kind {
                0 | 1 => bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << (at % 8)),
                2 if !bytes.is_empty() => drop(bytes.remove(at)),
                3 => bytes.insert(at, byte),
                4 => bytes.get_mut(at).into_iter().for_each(|known| *known = byte),
                5 => bytes.insert(at, b'\n'),
                6 => bytes.extend_from_within(at..),
                _ if self.below(4) == 0 => bytes.truncate(at),
                _ => {}
            }
        }
        bytes
    }
}

fn changed_requests_are_never_a_500(target: &Target) -> Result<Came, Error> {
    const REQUESTS: usize = 1000;
    let token = target.after(&good(), "${token}")?;
    let authority = &target.cloud().authority;
    let whole = format!(
        "POST /gateway/account/1?a=b HTTP/1.1\r\nHost: {authority}\r\nAuthorization: {token}\r\nContent-Type: text/plain\r\n\
         Transfer-Encoding: chunked\r\nTE: trailers\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    );
    let (mut numbers, mut answered, mut cut) = (Numbers(0x9E37_79B9_7F4A_7C15), 0, 0);
    for number in 0..REQUESTS {
        let bytes = numbers.change(whole.as_bytes());
        let mut stream = target.stream(false)?;
        let _ = stream.write_all(&bytes).and_then(|()| stream.flush());
        stream.conn.send_close_notify();
        let _ = stream.flush();
        let _ = stream.sock.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        // An end without close_notify is an end all the same.
        let _ = stream.read_to_end(&mut answer);
        let line =
            String::from_utf8_lossy(answer.get(..answer.len().min(12)).unwrap_or_default()).into_owned();
        match line.strip_prefix("HTTP/1.1 ") {
            Some(status) => {
                // 502 would say that a request went on whose end nobody knew.
                ensure(!status.starts_with('5'), || {
                    format!("request {number} is answered {status}: {:?}", String::from_utf8_lossy(&bytes))
                })?;
                answered += 1;
            }
            None => cut += 1,
        }
    }
    survived(format!("{answered} were answered and {cut} cut, none by a status of 500 or above"))
}

fn changed_hellos_are_refused(target: &Target) -> Result<Came, Error> {
    const HELLOS: usize = 500;
    let hello = target.cloud().first_flight()?;
    let (mut numbers, mut answered) = (Numbers(0xD1B5_4A32_D192_ED03), 0);
    for _ in 0..HELLOS {
        let mut stream = target.cloud().connect()?;
        let _ = stream.write_all(&numbers.change(&hello));
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        // An alert or a handshake (RFC 8446 §5.1), or nothing at all.
        ensure(matches!(answer.first(), None | Some(21 | 22)), || format!("a hello is answered {answer:?}"))?;
        answered += usize::from(!answer.is_empty());
    }
    survived(format!("{answered} of {HELLOS} had an answer, and it was TLS"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_the_same_each_time_and_do_change() {
        let change = || {
            let mut numbers = Numbers(1);
            (0..100).map(|_| numbers.change(b"GET / HTTP/1.1\r\n\r\n")).collect::<Vec<_>>()
        };
        assert_eq!(change(), change());
        assert!(change().iter().filter(|bytes| *bytes != b"GET / HTTP/1.1\r\n\r\n").count() > 80);
        assert!(Numbers(7).change(b"").len() <= 4);
    }
}
