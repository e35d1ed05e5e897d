//! The walk through a cluster's pages, whose result is whole or an error: a poll never lies.
//!
//! The walk is pure but for the pages, which come through a trait: a test can play any odd server in a
//! few lines. It knows neither HTTP nor JSON.

use std::{future::Future, sync::Arc};

use super::codes::{refuses_a_parameter, says_not_enabled};
use crate::{
    cloud::{CloudError, Reason},
    model::{Connection, ConnectionList, ServiceName},
};

/// The document's largest `limit` (CSS API Reference, "Obtaining an Endpoint Connection", Table 2).
pub const LARGEST_LIMIT: u32 = 1000;
/// Used if 1000 is refused; the Terraform provider has always asked for 100.
pub const FALLBACK_LIMIT: u32 = 100;
/// The document's largest `offset` (same table); later rows cannot be read.
pub const LARGEST_OFFSET: u32 = 1000;
/// A server that serves ten rows at most, its default, needs 101 pages to the last offset.
const MAX_PAGES: u32 = 110;
/// Ten times what can be reached by the document: more is not a true answer.
pub const MAX_ROWS: usize = 20_000;

/// The paging of a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paging {
    /// `offset`, or `start` in older regions.
    pub parameter: Parameter,
    /// The offset of the first row: 0, or 1 in older regions.
    pub first: u32,
    /// Rows to ask for, `1..=1000`.
    pub limit: u32,
}

impl Default for Paging {
    fn default() -> Self {
        Self { parameter: Parameter::Offset, first: 0, limit: LARGEST_LIMIT }
    }
}

/// The name of the query parameter that says where a page starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// Since 2025.
    Offset,
    /// Before.
    Start,
}

impl Parameter {
    /// The parameter's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offset => "offset",
            Self::Start => "start",
        }
    }
}

/// A source of pages.
pub trait Pages: Send {
    /// The page at an offset, with at most `limit` rows.
    fn page(
        &mut self,
        offset: u32,
        limit: u32,
    ) -> impl Future<Output = Result<Page, CloudError>> + Send;
}

/// A decoded page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The rows that have an id.
    pub rows: Vec<Connection>,
    /// All rows that were received; some may have no id.
    pub received: u32,
    /// `total_count`, if sent and readable.
    pub total: Option<u64>,
    /// `vpcepUpdateSwitch`, if sent.
    pub update_switch: Option<bool>,
    /// The number of whitelist entries, if sent.
    pub permissions: Option<u64>,
    /// `vpcServiceName`, if sent.
    pub service_name: Option<ServiceName>,
    /// The list that this page was the whole of when it came before. The other fields are then unused.
    pub whole: Option<Arc<ConnectionList>>,
}

/// The result of a walk.
#[derive(Debug, PartialEq, Eq)]
pub struct Walked {
    /// The list.
    pub list: Arc<ConnectionList>,
    /// Rows that came more than once.
    pub duplicates: u64,
    /// The id of one of them.
    pub duplicate_id: Option<String>,
}

/// The experience of earlier walks with a limit above [`FALLBACK_LIMIT`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LargeLimit {
    /// It was not refused so far.
    #[default]
    Usual,
    /// It was refused, and [`FALLBACK_LIMIT`] was accepted instead.
    Refused,
    /// Both were refused: the limit is not what is wrong, so trying both again is no use.
    NotTheCause,
}

impl LargeLimit {
    /// The limit to ask for if this one is configured.
    pub fn in_force(self, configured: u32) -> u32 {
        match self {
            Self::Refused => configured.min(FALLBACK_LIMIT),
            Self::Usual | Self::NotTheCause => configured,
        }
    }
}

/// Reads all pages, and walks a second time if the first walk disagrees with the cloud's own total.
/// Stores in `large_limit` what it learns about the limit.
///
/// # Errors
/// The error of the first page that fails: nothing half-read is shown. If a smaller limit is refused as
/// well, the error of the larger one.
pub async fn walk(
    paging: &Paging,
    large_limit: &mut LargeLimit,
    mut pages: impl Pages,
) -> Result<Walked, CloudError> {
    let mut limit = large_limit.in_force(paging.limit);
    let may_fall_back = *large_limit == LargeLimit::Usual && limit > FALLBACK_LIMIT;
    let first_page = match pages.page(paging.first, limit).await {
        Err(refused) if may_fall_back && refuses_a_parameter(&refused) => {
            limit = FALLBACK_LIMIT;
            let second = pages.page(paging.first, limit).await;
            // Only the second answer shows whether the limit was at fault or another parameter.
            *large_limit = match &second {
                Ok(_) => LargeLimit::Refused,
                Err(error) if says_not_enabled(error) => LargeLimit::Refused,
                Err(error) if refuses_a_parameter(error) => LargeLimit::NotTheCause,
                Err(_) => LargeLimit::Usual,
            };
            second.map_err(|error| if refuses_a_parameter(&error) { refused } else { error })?
        }
        other => other?,
    };
    // The same bytes were the whole list before, so there is no further page.
    if let Some(list) = first_page.whole {
        return Ok(Walked { list, duplicates: 0, duplicate_id: None });
    }
    let mut round = Round::walk(first_page, paging.first, limit, &mut pages).await?;
    let mut duplicates = round.duplicates;
    let mut duplicate_id = round.duplicate_id.take();
    // Rows that moved during the first walk are usually still by the second.
    if !round.is_consistent() {
        let first_page = pages.page(paging.first, limit).await?;
        round = Round::walk(first_page, paging.first, limit, &mut pages).await?;
        duplicates += round.duplicates;
        duplicate_id = duplicate_id.or(round.duplicate_id.take());
    }
    Ok(Walked { list: Arc::new(round.into_list()), duplicates, duplicate_id })
}

/// A walk from the first page to the last.
struct Round {
    /// Each id once, in their order.
    rows: Vec<Connection>,
    /// The first page without its rows.
    head: Page,
    total: Option<u64>,
    /// `total_count` differed between two pages: rows may have moved past the walk unseen.
    total_moved: bool,
    /// The walk came to an empty page.
    reached_the_end: bool,
    /// The same id came with two different states.
    contradictory: bool,
    duplicates: u64,
    duplicate_id: Option<String>,
}

impl Round {
    async fn walk(
        mut first_page: Page,
        first_offset: u32,
        limit: u32,
        pages: &mut impl Pages,
    ) -> Result<Self, CloudError> {
        let rows = std::mem::take(&mut first_page.rows);
        let mut page = Page { rows, ..first_page.clone() };
        let mut round = Self {
            rows: Vec::new(),
            total: first_page.total,
            head: first_page,
            total_moved: false,
            reached_the_end: false,
            contradictory: false,
            duplicates: 0,
            duplicate_id: None,
        };
        let mut offset = first_offset;
        let mut received = 0;
        for pages_read in 1..=MAX_PAGES {
            received += page.received;
            if !round.take(page)? || pages_read == MAX_PAGES {
                break;
            }
            // Servers may send fewer rows than the limit, so the next offset counts the received ones.
            let next = first_offset.saturating_add(received).min(LARGEST_OFFSET);
            // The last offset was read: asking for it again would loop.
            if next <= offset {
                break;
            }
            offset = next;
            page = pages.page(offset, limit).await?;
        }
        Ok(round)
    }

    /// Adds a page. False when the walk is over.
    fn take(&mut self, page: Page) -> Result<bool, CloudError> {
        self.total_moved |= page.total != self.total;
        // A page without a total does not take back that of another.
        self.total = page.total.or(self.total);
        if page.received == 0 {
            self.reached_the_end = true;
            return Ok(false);
        }
        let known = self.rows.len();
        self.take_rows(page.rows);
        if self.rows.len() > MAX_ROWS {
            return Err(CloudError::new(
                Reason::TooLarge,
                format!("the cloud lists more than {MAX_ROWS} connections for one cluster"),
            ));
        }
        let has_all = self.total.is_some_and(|total| self.rows.len() as u64 >= total);
        // A page without a new row means that the server ignores the offset.
        Ok(self.rows.len() > known && !has_all)
    }

    /// Adds rows. Of several rows with the same id, the last one stays.
    fn take_rows(&mut self, mut rows: Vec<Connection>) {
        // The first page is usually the whole list, and is not copied.
        if self.rows.is_empty() {
            self.rows = rows;
        } else {
            self.rows.append(&mut rows);
        }
        // Rows in order and without duplicates need neither sorting nor a copy.
        if self.rows.is_sorted_by(|a, b| a.endpoint_id() < b.endpoint_id()) {
            return;
        }
        let mut rows = std::mem::take(&mut self.rows);
        // Stable: rows with the same id stay in the order in which they came.
        rows.sort_by(|a, b| a.endpoint_id().cmp(b.endpoint_id()));
        self.rows.reserve_exact(rows.len());
        for row in rows {
            match self.rows.last_mut() {
                Some(last) if last.endpoint_id() == row.endpoint_id() => {
                    self.duplicates += 1;
                    self.duplicate_id.get_or_insert_with(|| row.endpoint_id().to_owned());
                    self.contradictory |= last.status != row.status;
                    *last = row;
                }
                _ => self.rows.push(row),
            }
        }
    }

    fn is_consistent(&self) -> bool {
        let all_read = match self.total {
            Some(total) => self.rows.len() as u64 == total,
            // Without a total, only an empty page shows that there are no more rows.
            None => self.reached_the_end,
        };
        all_read && !self.total_moved && !self.contradictory
    }

    fn into_list(self) -> ConnectionList {
        let complete = self.is_consistent();
        ConnectionList {
            service_enabled: true,
            complete,
            reported: self.total,
            update_switch: self.head.update_switch,
            permissions: self.head.permissions,
            service_name: self.head.service_name,
            connections: self.rows,
        }
    }
}

#[cfg(test)]
mod tests;
