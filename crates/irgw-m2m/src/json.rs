//! JSON objects as the profile takes them: one reading, in bounds, no member twice (RFC 7515 §4, RFC 7519 §4).

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::error::JsonFault;

/// The members of one object.
#[derive(Debug)]
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

/// The value of one member, as far as the profile needs it.
#[derive(Debug, PartialEq)]
pub(crate) enum Value<'a> {
    /// `null`.
    Null,
    /// A whole number written without fraction and exponent, from 0 to 2^63 - 1.
    Integer(u64),
    /// A string, its escapes resolved.
    Text(Cow<'a, str>),
    /// Anything else: `true`, another number, an array, an object. Checked, and not kept.
    Other,
}

impl<'a> Object<'a> {
    /// Reads one object and nothing after it.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Object<'a>, JsonFault> {
        let limits = Limits { fault: Cell::new(None), values_left: Cell::new(VALUE_LIMIT) };
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let members = Members { limits: &limits, depth: DEPTH_LIMIT }.deserialize(&mut json);
        match members.and_then(|members| json.end().map(|()| members)) {
            Ok(members) => Ok(Object(members)),
            Err(_) => Err(limits.fault.get().unwrap_or(JsonFault::NotAnObject)),
        }
    }

    /// The member of this name.
    pub(crate) fn member(&self, name: &str) -> Option<&Value<'a>> {
        self.0.iter().find(|(member, _)| member == name).map(|(_, value)| value)
    }
}

struct Limits {
    fault: Cell<Option<JsonFault>>,
    values_left: Cell<usize>,
}

impl Limits {
    fn refuse<E: serde::de::Error>(&self, fault: JsonFault) -> E {
        self.fault.set(Some(fault));
        E::custom("outside the profile")
    }

    fn count<E: serde::de::Error>(&self) -> Result<(), E> {
        match self.values_left.get().checked_sub(1) {
            Some(left) => {
                self.values_left.set(left);
                Ok(())
            }
            None => Err(self.refuse(JsonFault::Size)),
        }
    }
}

/// Reads the members of an object that may hold `depth` more levels, itself included.
#[derive(Clone, Copy)]
struct Members<'l> {
    limits: &'l Limits,
    depth: usize,
}

impl<'l> Members<'l> {
    fn inner<E: serde::de::Error>(self) -> Result<Members<'l>, E> {
        match self.depth.checked_sub(1) {
            Some(depth) if depth > 0 => Ok(Members { depth, ..self }),
            _ => Err(self.limits.refuse(JsonFault::Depth)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = Vec<(Cow<'de, str>, Value<'de>)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Vec<(Cow<'de, str>, Value<'de>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Self::Value = Vec::with_capacity(8);
        while let Some(name) = map.next_key_seed(Name)? {
            if members.iter().any(|(known, _)| *known == name) {
                return Err(self.limits.refuse(JsonFault::Duplicate));
            }
            self.limits.count()?;
            let value = map.next_value_seed(Any(self))?;
            members.push((name, value));
        }
        Ok(members)
    }
}

/// Reads a member's name, borrowed where it has no escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// Reads any value that stands inside the object of these members.
struct Any<'l>(Members<'l>);

impl<'de> DeserializeSeed<'de> for Any<'_> {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any<'_> {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        // serde_json gives every number that is not negative to visit_u64.
        Ok(Value::Other)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(if i64::try_from(number).is_ok() { Value::Integer(number) } else { Value::Other })
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let inner = self.0.inner()?;
        while seq.next_element_seed(Any(inner))?.is_some() {
            inner.limits.count()?;
        }
        Ok(Value::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        self.0.inner::<A::Error>()?.visit_map(map)?;
        Ok(Value::Other)
    }
}

const DEPTH_LIMIT: usize = 8;
const VALUE_LIMIT: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str) -> Option<JsonFault> {
        Object::parse(json.as_bytes()).err()
    }

    #[test]
    fn members_are_found_by_their_resolved_name() {
        let object =
            Object::parse(br#" {"\u0073ub": "a\u0062c", "iat":7, "x":null, "y":[{"z":1.5}]} "#).unwrap();
        assert_eq!(object.member("sub"), Some(&Value::Text("abc".into())));
        assert_eq!(object.member("iat"), Some(&Value::Integer(7)));
        assert_eq!(object.member("x"), Some(&Value::Null));
        assert_eq!(object.member("y"), Some(&Value::Other));
        assert_eq!(object.member("z"), None);
    }

    #[test]
    fn a_member_twice_is_refused_at_every_level_b08() {
        for json in [
            r#"{"sub":"a","sub":"a"}"#,
            r#"{"sub":"a","\u0073ub":"b"}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"{"x":[[{"a":1,"\u0061":2}]]}"#,
        ] {
            assert_eq!(fault(json), Some(JsonFault::Duplicate), "{json}");
        }
    }

    #[test]
    fn only_one_whole_object_is_taken_b08() {
        let bom = "\u{feff}{}";
        for json in [
            "",
            " ",
            "null",
            "[]",
            "\"\"",
            "1",
            "{}{}",
            "{} x",
            "{},",
            bom,
            "{\"a\":1,}",
            "{\"a\":NaN}",
            "{'a':1}",
            "{\"a\":01}",
            "{\"a\":1e400}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\n\"}",
            "{\"a\"}",
            "{",
            "{} \0",
            "// c\n{}",
        ] {
            assert_eq!(fault(json), Some(JsonFault::NotAnObject), "{json:?}");
        }
        assert!(Object::parse(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn depth_and_size_are_bounded_b08_b10() {
        let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(fault(&nested(7)), None);
        assert_eq!(fault(&nested(8)), Some(JsonFault::Depth));
        assert_eq!(fault(&nested(4000)), Some(JsonFault::Depth));
        let many = |count: usize| {
            format!("{{{}}}", (0..count).map(|n| format!("\"{n}\":0")).collect::<Vec<_>>().join(","))
        };
        assert_eq!(fault(&many(128)), None);
        assert_eq!(fault(&many(129)), Some(JsonFault::Size));
        assert_eq!(fault(&format!("{{\"a\":[{}0]}}", "0,".repeat(5000))), Some(JsonFault::Size));
    }

    #[test]
    fn only_whole_numbers_in_range_are_integers_b11() {
        let value = |number: &str| match Object::parse(format!("{{\"n\":{number}}}").as_bytes()) {
            Ok(object) => matches!(object.member("n"), Some(Value::Integer(_))),
            Err(_) => false,
        };
        for number in ["0", "1", "9223372036854775807"] {
            assert!(value(number), "{number}");
        }
        for number in
            ["-1", "-0", "1.0", "1e3", "1E3", "9223372036854775808", "18446744073709551616", "1e400"]
        {
            assert!(!value(number), "{number}");
        }
    }
}
