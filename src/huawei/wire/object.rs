//! JSON objects, taken member by member: the types of their values are not to be trusted.
//!
//! ```text
//! { "total_count": 2, "connections": [ { "id": "a", "status": "accepted" }, … ], "new": 1 }
//!   └ values, by name  └ list: a List takes each row, itself an Object           └ unknown_fields
//! ```
//!
//! The visitors are written by hand for two reasons: a derived one takes a JSON array in place of an
//! object, and it drops unknown fields without a count.

use std::{borrow::Cow, fmt, marker::PhantomData, mem::take};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::cloud::{CloudError, Reason};

/// An object with more unknown fields than this is of another document: the others are only counted,
/// so that an answer of many short fields takes no more memory than one of a few long ones.
const MOST_UNKNOWN_FIELDS: usize = 8;
/// The documented objects inside of objects have no more members.
const MOST_MEMBERS: usize = 8;

/// Reads a body that is an object with these fields.
///
/// # Errors
/// [`Reason::BadJson`] if it is not JSON, [`Reason::BadShape`] if it is not an object, or has something
/// else in place of a list. No part of the body is in the text.
pub(super) fn object<'a, const N: usize, L: List<'a>>(
    body: &'a [u8],
    names: &'static [&'static str; N],
) -> Result<Object<'a, N, L>, CloudError> {
    // A body that is UTF-8 is checked for it once, and not text by text.
    let read = match std::str::from_utf8(body) {
        Ok(body) => whole(names, serde_json::Deserializer::from_str(body)),
        Err(_) => whole(names, serde_json::Deserializer::from_slice(body)),
    };
    read.map_err(|error| {
        let (reason, what) = match error.classify() {
            serde_json::error::Category::Data => (Reason::BadShape, "the documented object"),
            _ => (Reason::BadJson, "JSON"),
        };
        let (line, column) = (error.line(), error.column());
        CloudError::new(reason, format!("the answer is not {what} (line {line}, column {column})"))
    })
}

fn whole<'a, const N: usize, L: List<'a>>(
    names: &'static [&'static str; N],
    mut json: serde_json::Deserializer<impl serde_json::de::Read<'a>>,
) -> serde_json::Result<Object<'a, N, L>> {
    let object = Object::of(names).deserialize(&mut json)?;
    json.end().map(|()| object)
}

/// An object whose documented fields have these names; before it is read, all of them are null.
pub(super) struct Object<'a, const N: usize, L = ()> {
    names: &'static [&'static str; N],
    values: [Scalar<'a>; N],
    /// The place of the field after the one that was read last: usually the next one to come.
    next: usize,
    pub(super) unknown_fields: UnknownFields<'a>,
    /// `None` if the object has no list, or null in its place.
    pub(super) list: Option<L>,
}

/// A documented field and its value.
pub(super) struct Field<'a> {
    pub(super) name: &'static str,
    pub(super) value: Scalar<'a>,
}

/// The field of an object that is a list of other objects. Each of these is taken before the next one
/// is read: in memory it is larger than in the answer.
pub(super) trait List<'de>: Default {
    /// The name of the field; `None` if the object has no such field.
    const NAME: Option<&'static str>;

    /// Takes all objects of the list.
    fn read<A: SeqAccess<'de>>(&mut self, objects: A) -> Result<(), A::Error>;
}

impl<'a> Field<'a> {
    /// Takes the value of a member, if this is an object that has it.
    pub(super) fn member(&mut self, name: &'static str) -> Field<'a> {
        let value = match &mut self.value {
            Scalar::Object(members) => members.iter_mut().find(|(known, _)| known == name),
            _ => None,
        };
        Field { name, value: value.map(|(_, value)| take(value)).unwrap_or_default() }
    }

    /// The same value, as that of another field.
    pub(super) fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }
}

impl<'a, const N: usize, L> Object<'a, N, L> {
    pub(super) fn of(names: &'static [&'static str; N]) -> Self {
        let values = [const { Scalar::Null }; N];
        Self { names, values, next: 0, unknown_fields: UnknownFields::default(), list: None }
    }

    /// Takes the value of a documented field out of the object.
    pub(super) fn take(&mut self, name: &'static str) -> Field<'a> {
        let at = self.place(name);
        Field { name, value: at.map(|at| take(&mut self.values[at])).unwrap_or_default() }
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| *known == name)
    }

    fn read_value<A: MapAccess<'a>>(
        &mut self,
        name: Cow<'a, str>,
        members: &mut A,
    ) -> Result<(), A::Error> {
        let value = members.next_value()?;
        let is_next = self.names.get(self.next).is_some_and(|known| *known == name);
        let at = if is_next { Some(self.next) } else { self.place(&name) };
        match at {
            Some(at) => {
                self.values[at] = value;
                self.next = at + 1;
            }
            None => self.unknown_fields.push(name, value),
        }
        Ok(())
    }
}

impl<'de, const N: usize, L: List<'de>> DeserializeSeed<'de> for Object<'de, N, L> {
    type Value = Self;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, const N: usize, L: List<'de>> Visitor<'de> for Object<'de, N, L> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Self, A::Error> {
        // A name is always a text, and as a scalar it is borrowed where it can be.
        while let Some(Scalar::Text(name)) = members.next_key()? {
            if L::NAME == Some(&*name) {
                self.list = members.next_value::<Listed<L>>()?.0;
            } else {
                self.read_value(name, &mut members)?;
            }
        }
        Ok(self)
    }
}

/// An object without a list.
impl<'de> List<'de> for () {
    const NAME: Option<&'static str> = None;

    fn read<A: SeqAccess<'de>>(&mut self, _: A) -> Result<(), A::Error> {
        Ok(())
    }
}

struct Listed<L>(Option<L>);

impl<'de, L: List<'de>> Deserialize<'de> for Listed<L> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

struct ListVisitor<L>(PhantomData<L>);

impl<'de, L: List<'de>> Visitor<'de> for ListVisitor<L> {
    type Value = Listed<L>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Listed(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, objects: A) -> Result<Self::Value, A::Error> {
        let mut list = L::default();
        list.read(objects)?;
        Ok(Listed(Some(list)))
    }
}

/// The fields of an object that no version of the document has.
#[derive(Default)]
pub(super) struct UnknownFields<'a> {
    /// The first ones, each name once. They are whole: secrets in them are found later.
    pub(super) first: Vec<(Cow<'a, str>, Scalar<'a>)>,
    /// The number of all of them.
    pub(super) times: u64,
}

impl<'a> UnknownFields<'a> {
    #[cold]
    fn push(&mut self, name: Cow<'a, str>, value: Scalar<'a>) {
        self.times += 1;
        let has_room = self.first.len() < MOST_UNKNOWN_FIELDS;
        if has_room && self.first.iter().all(|(known, _)| *known != name) {
            self.first.push((name, value));
        }
    }
}

/// A JSON value, borrowed from the body where it can be. Arrays are read past.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Scalar<'a> {
    #[default]
    Null,
    Bool(bool),
    Unsigned(u64),
    /// A negative number, or one with a fraction.
    OtherNumber(f64),
    Text(Cow<'a, str>),
    /// An array of this length.
    Array(u64),
    /// The first members of an object.
    Object(Vec<(Cow<'a, str>, Scalar<'a>)>),
}

impl fmt::Display for Scalar<'_> {
    /// As in JSON, without escapes; the content of an array or an object is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(switch) => write!(f, "{switch}"),
            Self::Unsigned(number) => write!(f, "{number}"),
            Self::OtherNumber(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "\"{text}\""),
            Self::Array(_) | Self::Object(_) => f.write_str("an array or an object"),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor::<MOST_MEMBERS>)
    }
}

/// A member of an object, whose own members are read past.
struct Member<'a>(Scalar<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Member<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor::<0>).map(Self)
    }
}

/// Keeps so many members of an object.
struct ScalarVisitor<const MEMBERS: usize>;

impl<'de, const MEMBERS: usize> Visitor<'de> for ScalarVisitor<MEMBERS> {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Unsigned(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        // Those that are not negative come as u64.
        Ok(Scalar::OtherNumber(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Scalar::OtherNumber(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(value.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut length = 0;
        while items.next_element::<IgnoredAny>()?.is_some() {
            length += 1;
        }
        Ok(Scalar::Array(length))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while members.len() < MEMBERS
            && let Some(Scalar::Text(name)) = items.next_key()?
        {
            members.push((name, items.next_value::<Member<'de>>()?.0));
        }
        while items.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Object(members))
    }
}
