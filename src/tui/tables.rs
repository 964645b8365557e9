//! The rows of the list screens, formatted once per picture and never per frame.
//!
//! A row carries what it stands for, its cells, and the lower-case text that the filter searches. Sorting and
//! filtering make a list of indexes; nothing is formatted again for them.

pub mod backups;
pub mod board;
pub mod calls;
pub mod components;
pub mod replication;
pub mod runbooks;
pub mod wave;
pub mod wave_runs;

use super::{
    filter::Filter,
    widgets::table::{CellText, Column, Direction, Said},
};
use crate::{
    domain::{AppId, ComponentId, RunbookId},
    runbook::run::RunId,
};

/// What a row stands for: where Enter goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    App(AppId),
    Component(AppId, ComponentId),
    Runbook(RunbookId, AppId),
    Run(RunId),
    /// By its id.
    Wave(String),
    Nothing,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub target: Target,
    pub cells: Vec<CellText>,
    /// Lower case.
    pub search: String,
}

impl Row {
    #[must_use]
    pub fn new(target: Target, cells: Vec<CellText>, also: &str) -> Self {
        let mut search = String::new();
        for cell in &cells {
            if let Said::Text(text) = &cell.said {
                search.push_str(text);
                search.push(' ');
            }
        }
        search.push_str(also);
        Self { target, cells, search: search.to_lowercase() }
    }
}

/// The rows of one screen with the order in which they are shown.
#[derive(Clone, Debug, Default)]
pub struct List {
    pub rows: Vec<Row>,
    /// Indexes into `rows`: filtered and sorted.
    shown: Vec<u32>,
}

impl List {
    #[must_use]
    pub fn new(rows: Vec<Row>) -> Self {
        let shown = (0..rows.len() as u32).collect();
        Self { rows, shown }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.shown.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    #[must_use]
    pub fn hidden(&self) -> usize {
        self.rows.len() - self.shown.len()
    }

    #[must_use]
    pub fn get(&self, n: usize) -> Option<&Row> {
        self.shown.get(n).and_then(|at| self.rows.get(*at as usize))
    }

    #[must_use]
    pub fn cells(&self, n: usize) -> &[CellText] {
        self.get(n).map_or(&[], |row| &row.cells)
    }

    /// Where `target` is shown; of several rows that stand for it the one nearest to `at`.
    #[must_use]
    pub fn nearest(&self, target: &Target, at: usize) -> Option<usize> {
        let of_it = (0..self.len()).filter(|n| self.get(*n).is_some_and(|row| row.target == *target));
        of_it.min_by_key(|n| n.abs_diff(at))
    }

    /// Without a sort the rows keep their own order, which is worst first.
    pub fn arrange(&mut self, filter: &Filter, sort: Option<(usize, Direction)>) {
        let rows = &self.rows;
        self.shown.clear();
        self.shown.extend((0..rows.len() as u32).filter(|at| filter.lets(&rows[*at as usize].search)));
        if let Some((column, direction)) = sort {
            self.shown.sort_by(|a, b| {
                let order = by_cell(&rows[*a as usize], &rows[*b as usize], column);
                if direction == Direction::Down { order.reverse() } else { order }
            });
        }
    }
}

fn by_cell(a: &Row, b: &Row, column: usize) -> std::cmp::Ordering {
    let (Some(a), Some(b)) = (a.cells.get(column), b.cells.get(column)) else {
        return std::cmp::Ordering::Equal;
    };
    match (a.key, b.key) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => said_order(&a.said).cmp(&said_order(&b.said)),
    }
}

fn said_order(said: &Said) -> (i64, &str) {
    match said {
        Said::Text(text) => (0, text),
        // Oldest last when sorted up: a longer age is a smaller moment.
        Said::Ago { at, .. } => (at.map_or(i64::MAX, |at| -at.millis()), ""),
    }
}

/// The columns of a list screen.
#[must_use]
pub fn columns(context: crate::keymap::Context) -> &'static [Column] {
    use crate::keymap::Context;
    match context {
        Context::Board => &board::COLUMNS,
        Context::App => &components::COLUMNS,
        Context::Backups => &backups::COLUMNS,
        Context::Replication => &replication::COLUMNS,
        Context::Runbooks => &runbooks::COLUMNS,
        Context::Wave => &wave::COLUMNS,
        Context::WaveRuns => &wave_runs::COLUMNS,
        Context::Calls => &calls::COLUMNS,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, key: f64) -> Row {
        Row::new(Target::Nothing, vec![CellText::text(name).sorted_by(key)], "")
    }

    #[test]
    fn filtering_hides_rows_and_says_how_many() {
        let mut list = List::new(vec![row("payments", 2.0), row("webank", 1.0)]);
        list.arrange(&Filter::parse("WEB"), None);
        assert_eq!((list.len(), list.hidden()), (1, 1));
        list.arrange(&Filter::default(), Some((0, Direction::Up)));
        assert_eq!(list.get(0).map(|r| r.search.trim()), Some("webank"));
        list.arrange(&Filter::default(), Some((0, Direction::Down)));
        assert_eq!(list.get(0).map(|r| r.search.trim()), Some("payments"));
    }
}
