//! Requests that were refused: the first of a kind is recorded at once, the others are counted and
//! recorded once a minute. A flood can neither fill the disk nor delay a change.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::record::Content;

/// The kinds that are told apart in a minute, which bounds the log's growth to some 30 KiB a minute.
/// Beyond that there is one more for each token: strangers with many addresses must not hide what
/// someone with a token tried.
const MAX_KEYS: usize = 64;
/// The remote of all kinds beyond that.
const OTHERS: &str = "others";
/// The count of a kind is recorded this often.
const WINDOW: SignedDuration = SignedDuration::from_secs(60);
/// A stranger chooses these texts; an address and a token's name are shorter.
const MAX_TEXT_BYTES: usize = 128;

#[derive(Debug)]
struct Counted {
    content: Content,
    /// Not recorded yet.
    count: u64,
    from: Timestamp,
    to: Timestamp,
    /// When it was recorded last.
    recorded: Option<Timestamp>,
}

impl Counted {
    fn is_due(&self, now: Timestamp) -> bool {
        let passed = |since: Timestamp| {
            let passed = now.duration_since(since);
            // A clock that was set back must not hold records up.
            passed >= WINDOW || passed.is_negative()
        };
        self.count > 0 && self.recorded.is_none_or(passed)
    }
}

/// The kind of a refusal: why it was refused, from where, and who.
type Key = [Option<Box<str>>; 3];

#[derive(Debug, Default)]
pub(super) struct Denials(HashMap<Key, Counted>);

impl Denials {
    /// Counts a refusal, a content of kind `denied` without a count.
    pub(super) fn count(&mut self, mut denied: Content, now: Timestamp) {
        denied.remote = denied.remote.as_deref().map(shortened);
        denied.actor = denied.actor.as_deref().map(shortened);
        if !self.0.contains_key(&key(&denied)) && self.0.len() >= MAX_KEYS {
            denied.remote = Some(OTHERS.into());
        }
        let counted = self.0.entry(key(&denied)).or_insert_with(|| {
            let content = denied.clone();
            Counted { content, count: 0, from: now, to: now, recorded: None }
        });
        if counted.count == 0 {
            (counted.from, counted.content) = (now, denied);
        } else {
            // The record names only what is the same for all that it counts.
            let content = &mut counted.content;
            content.project.take_if(|all| Some(&*all) != denied.project.as_ref());
            content.service_id.take_if(|all| Some(&*all) != denied.service_id.as_ref());
            content.service_name.take_if(|all| Some(&*all) != denied.service_name.as_ref());
            content.cluster_id.take_if(|all| Some(&*all) != denied.cluster_id.as_ref());
            content.cluster_name.take_if(|all| Some(&*all) != denied.cluster_name.as_ref());
        }
        counted.count += 1;
        counted.to = now;
    }

    /// A count that is to be recorded now. `all` is for the end, when no later time comes.
    pub(super) fn due(&mut self, now: Timestamp, all: bool) -> Option<Content> {
        self.0.retain(|_, counted| {
            let passed = counted.recorded.map(|at| now.duration_since(at));
            counted.count > 0 || passed.is_some_and(|passed| passed < WINDOW)
        });
        let due = |counted: &&mut Counted| counted.is_due(now) || all && counted.count > 0;
        let counted = self.0.values_mut().find(due)?;
        let mut content = counted.content.clone();
        content.request = Some(json!({
            "count": counted.count,
            "from": format!("{:.3}", counted.from),
            "to": format!("{:.3}", counted.to),
        }));
        counted.count = 0;
        counted.recorded = Some(now);
        Some(content)
    }
}

fn key(denied: &Content) -> Key {
    [&denied.outcome, &denied.remote, &denied.actor].map(Clone::clone)
}

fn shortened(text: &str) -> Box<str> {
    text[..text.floor_char_boundary(MAX_TEXT_BYTES)].into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ServiceId;

    const NOW: &str = "2026-01-02T03:04:05Z";

    fn denial(remote: &str, actor: Option<&str>) -> Content {
        let reason = if actor.is_some() { "service" } else { "token" };
        Content { actor: actor.map(Into::into), ..Content::denied(reason, remote) }
    }

    fn recorded(denials: &mut Denials) -> Vec<(Option<String>, String, u64)> {
        let next = || denials.due(NOW.parse().unwrap(), true);
        let mut all: Vec<_> = std::iter::from_fn(next)
            .map(|content| {
                let count = content.request.unwrap()["count"].as_u64().unwrap();
                (content.actor.map(Into::into), content.remote.unwrap().into(), count)
            })
            .collect();
        all.sort();
        all
    }

    /// Behind one address there may be many tokens: all of loopback, or a proxy.
    #[test]
    fn what_one_token_tried_is_not_counted_as_anothers() {
        let mut denials = Denials::default();
        let now = NOW.parse().unwrap();
        for (actor, count) in [("alice", 1), ("bob", 5)] {
            for _ in 0..count {
                denials.count(denial("127.0.0.1", Some(actor)), now);
            }
        }
        let of = |actor: &str, count| (Some(actor.to_owned()), "127.0.0.1".to_owned(), count);
        assert_eq!(recorded(&mut denials), [of("alice", 1), of("bob", 5)]);
    }

    #[test]
    fn strangers_do_not_hide_what_a_token_tried() {
        let mut denials = Denials::default();
        let now = NOW.parse().unwrap();
        for number in 0..10 * MAX_KEYS {
            denials.count(denial(&format!("2001:db8::{number:x}"), None), now);
        }
        for number in 0..10 {
            denials.count(denial(&format!("10.0.0.{number}"), Some("bob")), now);
        }
        let recorded = recorded(&mut denials);
        assert_eq!(recorded.len(), MAX_KEYS + 2);
        assert_eq!(recorded.last(), Some(&(Some("bob".into()), OTHERS.into(), 10)));
        let strangers = (None, OTHERS.to_owned(), 9 * MAX_KEYS as u64);
        assert!(recorded.contains(&strangers), "{recorded:?}");
    }

    /// A record names the service only where all that it counts were about it.
    #[test]
    fn a_count_of_several_services_names_none() {
        let ids = ["4189d3c2-8882-4871-a3c2-d380272eed88", "ea244205-d641-45d9-9dcb-ab2236bcd07e"]
            .map(|id| ServiceId::parse(id).unwrap());
        let now = NOW.parse().unwrap();
        let mut denials = Denials::default();
        let mut next = |of: &[&ServiceId]| {
            for id in of {
                let who = denial("127.0.0.1", Some("bob"));
                denials.count(who.of_service("prod", id, &id.as_str()[..1]), now);
            }
            let content = denials.due(now, true).unwrap();
            let name = content.service_name.map(String::from);
            (content.project.map(String::from), content.service_id, name)
        };
        let prod = || Some("prod".to_owned());
        assert_eq!(next(&[&ids[0]]), (prod(), Some(ids[0].clone()), Some("4".into())));
        assert_eq!(next(&[&ids[1], &ids[1]]), (prod(), Some(ids[1].clone()), Some("e".into())));
        assert_eq!(next(&[&ids[0], &ids[1]]), (prod(), None, None));
    }
}
