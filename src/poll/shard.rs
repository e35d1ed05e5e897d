//! Rendezvous hashing: picks the one of several exporters that polls a cluster.
//!
//! Every shard draws a number for the cluster and the highest one has it. So all shards agree
//! without talking, and one shard more takes its part evenly from the others and moves nothing else.

use sha2::{Digest, Sha256};

use crate::model::ClusterId;

/// An exporter among several that share a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its number, less than `count`.
    pub index: u32,
    /// The number of shards, at least 1.
    pub count: u32,
}

impl Shard {
    /// The only one.
    pub const ONLY: Self = Self { index: 0, count: 1 };

    /// True if this shard polls the cluster.
    pub fn owns(&self, cluster: &ClusterId) -> bool {
        winner(self.count, cluster) == Some(self.index)
    }
}

fn winner(count: u32, cluster: &ClusterId) -> Option<u32> {
    (0..count).max_by_key(|&index| draw(index, cluster))
}

/// The digest is compared whole: a tie would be a collision of SHA-256.
fn draw(index: u32, cluster: &ClusterId) -> [u8; 32] {
    Sha256::new()
        .chain_update(index.to_be_bytes())
        .chain_update(cluster.as_str().as_bytes())
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clusters(count: u32) -> impl Iterator<Item = ClusterId> {
        (0..count).map(|number| {
            ClusterId::parse(&format!("{number:08x}-5b35-4f50-8984-76387e42451a")).unwrap()
        })
    }

    fn owner(count: u32, cluster: &ClusterId) -> u32 {
        let owners: Vec<_> =
            (0..count).filter(|&index| Shard { index, count }.owns(cluster)).collect();
        let [owner] = owners[..] else { panic!("{cluster} has the owners {owners:?} of {count}") };
        owner
    }

    #[test]
    fn the_owner_is_what_it_always_was() {
        // A change of the hash would move every cluster between the shards of a running fleet.
        let cases = [
            ("5c77b71c-5b35-4f50-8984-76387e42451a", [0, 1, 1, 3]),
            ("ea244205-d641-45d9-9dcb-ab2236bcd07e", [0, 1, 2, 10]),
            ("00000000-0000-0000-0000-000000000000", [0, 1, 1, 15]),
        ];
        for (id, owners) in cases {
            let id = ClusterId::parse(id).unwrap();
            assert_eq!([1, 2, 3, 16].map(|count| owner(count, &id)), owners, "{id}");
        }
    }

    #[test]
    fn the_only_shard_owns_everything() {
        assert!(clusters(100).all(|cluster| Shard::ONLY.owns(&cluster)));
    }

    #[test]
    fn every_cluster_has_one_owner_and_the_shards_are_about_even() {
        for count in [2, 3, 5] {
            let mut owned = vec![0; count as usize];
            for cluster in clusters(1000) {
                owned[owner(count, &cluster) as usize] += 1;
            }
            let (least, most) = (700 / count, 1300 / count);
            assert!(owned.iter().all(|n| (least..=most).contains(n)), "{count}: {owned:?}");
        }
    }

    #[test]
    fn one_shard_more_moves_its_own_part_and_nothing_else() {
        const CLUSTERS: u32 = 10_000;
        for count in [1, 2, 3, 7] {
            let mut moved = 0;
            for cluster in clusters(CLUSTERS) {
                let after = winner(count + 1, &cluster);
                if winner(count, &cluster) != after {
                    assert_eq!(after, Some(count), "{cluster} moved between old shards");
                    moved += 1;
                }
            }
            let most = 1.2 * f64::from(CLUSTERS) / f64::from(count + 1);
            assert!(f64::from(moved) <= most, "{count}: {moved} moved");
        }
    }
}
