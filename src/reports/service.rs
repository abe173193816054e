//! What can be asked of reports: one desk per request, with everything that the answer depends on.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::ledger::{self, Ledger, Source};
use super::model::compare::{Comparison, compare_all, verdict};
use super::model::compute::{Group, Report, Share, compute};
use super::model::measures::{Definition, Measure};
use super::model::outliers::Outliers;
use super::model::reasons::Excluded;
use super::model::scope::{GroupBy, Scope};
use super::model::select::{Eyes, Question, Selection, Snapshot, Targets};
use super::model::stats::{Intervals, Summary, permuted};
use super::store;
use super::view::left_out::{LeftOut, left_out};
use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::Result;
use crate::incidents::Viewer;

pub use super::attention::{Attention, attention};

/// Dots of one strip chart; above this the page would grow too large.
const MOST_DOTS: usize = 250;
/// Outliers that are named.
const MOST_OUTLIERS: usize = 6;
/// Of those left out, the overview keeps this many one by one.
const MOST_EXCLUDED: usize = 1_000;
/// Places of the main measures in every [`Desk::question`].
pub const MAIN: [usize; 4] = [0, 1, 2, 3];

/// All that an answer depends on: the data as of now, who asks, and what people chose.
pub struct Desk {
    ledger: Ledger,
    db: Db,
    now: Timestamp,
    /// Of the data as it was when the desk was opened.
    version: u64,
    pub eyes: Arc<Eyes>,
    pub viewer: Viewer,
    pub targets: Targets,
    /// Standing definitions that people made.
    pub custom: Vec<Definition>,
}

/// Who looks at what is shown to anybody who holds an address: frozen reports, charts, gauges.
pub const NOBODY: Viewer = Viewer { all: false, user_id: 0 };

impl Desk {
    /// # Errors
    /// What the database says.
    pub async fn open(ledger: &Ledger, db: &Db, viewer: Viewer, now: Timestamp) -> Result<Self> {
        let named = if viewer.all || viewer.user_id == 0 {
            std::collections::HashSet::new()
        } else {
            ledger::named(db, viewer.user_id).await?
        };
        Ok(Self {
            version: ledger.version(db, now).await?,
            ledger: ledger.clone(),
            db: db.clone(),
            now,
            eyes: Arc::new(Eyes { all: viewer.all, named }),
            viewer,
            targets: store::choices::targets(db).await?,
            custom: store::choices::standing_definitions(db).await?,
        })
    }

    /// Every built-in measure, the main ones first, and those that people defined.
    pub fn question(&self, scope: &Scope) -> Question {
        let mut definitions = Measure::definitions(&Measure::MAIN);
        definitions.extend(Measure::ALL.iter().filter(|m| !Measure::MAIN.contains(m)).map(|m| m.definition()));
        definitions.extend(self.custom.iter().cloned());
        Question::new(scope.clone(), definitions).with_targets(self.targets.clone())
    }

    /// All incidents as of now.
    ///
    /// # Errors
    /// What the database says.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        self.ledger.snapshot(&self.db, self.now).await
    }

    /// What a query tells of incidents, asked once for as long as none of them changes.
    ///
    /// # Errors
    /// What the query says.
    pub async fn told<T: Send + Sync + 'static>(
        &self,
        question: impl Hash,
        query: impl Future<Output = Result<T>>,
    ) -> Result<Arc<T>> {
        self.ledger.told(self.source(), question, query).await
    }

    fn source(&self) -> Source<'_> {
        Source { db: &self.db, now: self.now, version: self.version }
    }

    /// Differs whenever an answer over the same data may differ.
    fn stamp(&self, question: &Question) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.eyes.all.hash(&mut hasher);
        let mut named: Vec<_> = self.eyes.named.iter().collect();
        named.sort_unstable();
        named.hash(&mut hasher);
        question.targets.hash(&mut hasher);
        // The printed form holds every part of a scope and of a definition.
        format!("{:?} {:?}", question.scope, question.definitions).hash(&mut hasher);
        hasher.finish()
    }

    /// # Errors
    /// When the computation stopped.
    pub async fn overview(&self, question: &Question, slices: &[GroupBy], drawn: usize) -> Result<Overview> {
        let eyes = Arc::clone(&self.eyes);
        let key = (self.stamp(question), slices.to_vec(), drawn);
        let (asked, slices) = (question.clone(), slices.to_vec());
        let compute = move |snapshot: &Snapshot| Figures::of(snapshot, &asked, &eyes, &slices, drawn);
        let figures = self.ledger.lasting(self.source(), key, compute).await?;
        Ok(Overview { question: question.clone(), figures })
    }

    /// # Errors
    /// When the computation stopped.
    pub async fn report(&self, question: &Question) -> Result<Arc<Report>> {
        let eyes = Arc::clone(&self.eyes);
        let key = self.stamp(question);
        let question = question.clone();
        self.ledger.answer(self.source(), key, move |snapshot| compute(snapshot, &question, &eyes)).await
    }

    /// A page of the incidents of one group, or of all for an empty key, and how many there are. With a
    /// measure: those that have a value of it, the longest first; else the newest first.
    ///
    /// # Errors
    /// When the computation stopped.
    pub async fn behind(&self, question: &Question, of: Behind) -> Result<Arc<(Vec<Counted>, usize)>> {
        let eyes = Arc::clone(&self.eyes);
        let stamp = (self.stamp(question), of.clone());
        let question = question.clone();
        self.ledger.answer(self.source(), stamp, move |snapshot| behind(snapshot, &question, &eyes, &of)).await
    }

    /// Two questions of the same measures beside each other.
    ///
    /// # Errors
    /// When the computation stopped.
    pub async fn sides(&self, first: &Question, second: &Question) -> Result<Arc<Sides>> {
        let eyes = Arc::clone(&self.eyes);
        let stamp = (self.stamp(first), self.stamp(second));
        let (first, second) = (first.clone(), second.clone());
        self.ledger.answer(self.source(), stamp, move |snapshot| Sides::of(snapshot, &first, &second, &eyes)).await
    }

    /// # Errors
    /// What the database says.
    pub async fn titles(&self, numbers: impl IntoIterator<Item = i64>) -> Result<HashMap<i64, String>> {
        store::titles(&self.db, self.viewer, numbers.into_iter().collect()).await
    }

    pub const fn db(&self) -> &Db {
        &self.db
    }
}

/// Which incidents behind a number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Behind {
    /// Empty for all groups.
    pub key: String,
    /// The measure, by its place in the question.
    pub place: Option<usize>,
    /// Only those that took longer than the target of their severity.
    pub over: bool,
    pub skip: usize,
    pub take: usize,
}

/// Two totals and how they differ.
#[derive(Debug)]
pub struct Sides {
    pub first: Group,
    pub second: Group,
    /// By the question's definitions.
    pub comparisons: Vec<Comparison>,
    /// How often chance alone gives medians as far apart; none where there are too few values.
    pub chance: Vec<Option<f64>>,
}

impl Sides {
    fn of(snapshot: &Snapshot, first: &Question, second: &Question, eyes: &Eyes) -> Self {
        let (a, b) = (Selection::of(snapshot, first, eyes), Selection::of(snapshot, second, eyes));
        let (first, second) = (a.total(), b.total());
        let places = 0..a.question.definitions.len();
        Self {
            comparisons: compare_all((&first, &a), (&second, &b)),
            chance: places.map(|place| permuted(&a.sorted(place), &b.sorted(place))).collect(),
            first,
            second,
        }
    }
}

/// One counted incident with its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Counted {
    pub number: i64,
    pub severity: u8,
    pub began: Timestamp,
    /// Slugs.
    pub services: Vec<String>,
    /// By the question's definitions, in microseconds; for distances between incidents always none.
    pub values: Vec<Option<i64>>,
}

/// What the overview shows, with what was asked.
#[derive(Debug)]
pub struct Overview {
    pub question: Question,
    figures: Arc<Figures>,
}

impl std::ops::Deref for Overview {
    type Target = Figures;
    fn deref(&self) -> &Figures {
        &self.figures
    }
}

/// The answer to an overview's question. The slices hold figures of the main measures and the drawn one.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Figures {
    pub total: Group,
    /// The period of equal length just before.
    pub earlier: Group,
    pub slices: Vec<(GroupBy, Vec<Group>)>,
    /// Against the earlier period, by the question's definitions.
    pub comparisons: Vec<Comparison>,
    /// Who is not in the main measures, by reason.
    pub left_out: Vec<LeftOut>,
    /// The first of them, and how many there are.
    pub excluded: Vec<Excluded>,
    pub excluded_total: usize,
    /// Of the drawn measure: number, severity, microseconds; the longest ones when there are too many.
    pub dots: Vec<(i64, u8, i64)>,
    pub dots_left_out: usize,
    /// By the question's definitions.
    pub outliers: Vec<Option<Outliers>>,
    /// The main measures by the other times: first recorded where the scope asks for corrected ones.
    pub other_times: Vec<Option<Summary>>,
}

impl Figures {
    pub fn of(snapshot: &Snapshot, question: &Question, eyes: &Eyes, slices: &[GroupBy], drawn: usize) -> Self {
        let selection = Selection::listing(snapshot, question, eyes, MOST_EXCLUDED);
        let earlier_question = question.about(question.scope.before());
        let before = Selection::of(snapshot, &earlier_question, eyes);
        let (mut total, mut earlier) = (selection.counted(), before.counted());
        let all: Vec<usize> = (0..question.definitions.len()).collect();
        // Each list of values is put in order once, for everything that needs it so.
        let measured = selection.each_measure(&all, |place| Measured::of(&selection, &before, place));
        let (mut comparisons, mut outliers) = (Vec::new(), Vec::new());
        for (place, measured) in measured {
            set(&mut total.summaries, place, measured.comparison.later.clone());
            set(&mut earlier.summaries, place, measured.comparison.earlier.clone());
            set(&mut total.within, place, measured.within);
            comparisons.push(measured.comparison);
            outliers.push(measured.outliers);
        }
        let mut places = MAIN.to_vec();
        if !places.contains(&drawn) {
            places.push(drawn);
        }
        let (dots, dots_left_out) = dots(&selection, drawn);
        Self {
            earlier,
            slices: slices.iter().map(|by| (*by, selection.groups_with(*by, &places))).collect(),
            outliers,
            other_times: other_times(snapshot, question, eyes, &total),
            dots,
            dots_left_out,
            comparisons,
            left_out: left_out(&selection.excluded, &question.definitions, MAIN.len()),
            excluded_total: selection.excluded.total(),
            excluded: selection.excluded.into_first(),
            total,
        }
    }
}

/// One measure of both periods.
struct Measured {
    comparison: Comparison,
    within: Share,
    outliers: Option<Outliers>,
}

impl Measured {
    fn of(selection: &Selection<'_>, before: &Selection<'_>, place: usize) -> Self {
        let (values, earlier) = (selection.sorted(place), before.sorted(place));
        Self {
            comparison: Comparison {
                earlier: Summary::of_sorted(&earlier, Intervals::All),
                later: Summary::of_sorted(&values, Intervals::All),
                verdict: verdict(&earlier, &values),
            },
            within: selection.within(place),
            outliers: Outliers::of(selection, place, &values, MOST_OUTLIERS),
        }
    }
}

fn set<T>(list: &mut [T], place: usize, value: T) {
    if let Some(slot) = list.get_mut(place) {
        *slot = value;
    }
}

/// Nothing is computed twice where no time was corrected.
fn other_times(snapshot: &Snapshot, question: &Question, eyes: &Eyes, total: &Group) -> Vec<Option<Summary>> {
    if total.counts.corrected.part == 0 && !question.scope.raw {
        return total.summaries.iter().take(MAIN.len()).cloned().collect();
    }
    let scope = Scope { raw: !question.scope.raw, ..question.scope.clone() };
    let definitions = question.definitions.iter().take(MAIN.len()).cloned().collect();
    Selection::of(snapshot, &Question::new(scope, definitions), eyes).total().summaries
}

fn dots(selection: &Selection<'_>, drawn: usize) -> (Vec<(i64, u8, i64)>, usize) {
    let Some(definition) = selection.question.definitions.get(drawn) else { return (Vec::new(), 0) };
    if definition.basis == super::model::measures::Basis::BetweenStarts {
        return (Vec::new(), 0);
    }
    let mut found: Vec<(i64, usize)> =
        (0..selection.picked.len()).filter_map(|i| Some((selection.value(drawn, i)?, i))).collect();
    let left_out = found.len().saturating_sub(MOST_DOTS);
    if left_out > 0 {
        found.select_nth_unstable(left_out);
        found.drain(..left_out);
    }
    found.sort_unstable();
    let dot = |(micros, i): (i64, usize)| {
        selection.picked.get(i).map(|p| (selection.fact(*p).number, selection.fact(*p).severity, micros))
    };
    (found.into_iter().filter_map(dot).collect(), left_out)
}

fn behind(snapshot: &Snapshot, question: &Question, eyes: &Eyes, of: &Behind) -> (Vec<Counted>, usize) {
    let selection = Selection::of(snapshot, question, eyes);
    let (key, place) = (&of.key, of.place);
    let membership = selection.membership(question.scope.group_by);
    let wanted = membership.keys.iter().position(|known| known == key).and_then(|p| u32::try_from(p).ok());
    let in_group = |i: usize| key.is_empty() || wanted.is_some_and(|p| membership.of(&selection, i).contains(&p));
    let has_value = |i: usize| place.is_none_or(|place| selection.value(place, i).is_some());
    let mut chosen: Vec<usize> = (0..selection.picked.len()).filter(|i| in_group(*i) && has_value(*i)).collect();
    if of.over {
        chosen.retain(|i| place.is_some_and(|place| selection.breaches(place, *i)));
    }
    let total = chosen.len();
    let distances: Vec<bool> =
        question.definitions.iter().map(|d| d.basis == super::model::measures::Basis::BetweenStarts).collect();
    chosen.sort_by_cached_key(|i| {
        let picked = selection.picked.get(*i).copied();
        let by_value = place.filter(|p| distances.get(*p) == Some(&false)).and_then(|p| selection.value(p, *i));
        let anchor = picked.map_or(0, |p| p.anchor);
        (std::cmp::Reverse(by_value.unwrap_or(anchor)), picked.map(|p| selection.fact(p).number))
    });
    let counted = |i: usize| {
        let picked = *selection.picked.get(i)?;
        let (block, fact) = (selection.block(picked), selection.fact(picked));
        let slugs = block.services(fact).iter().filter_map(|id| snapshot.services.get(id)).map(|s| s.slug.clone());
        let values = distances.iter().enumerate().map(|(place, far)| selection.value(place, i).filter(|_| !far));
        Some(Counted {
            number: fact.number,
            severity: fact.severity,
            began: Timestamp::from_micros(picked.anchor),
            services: slugs.collect(),
            values: values.collect(),
        })
    };
    (chosen.into_iter().skip(of.skip).take(of.take).filter_map(counted).collect(), total)
}

/// What the filter fields offer: slugs of services and names of teams, at most 500 each.
///
/// # Errors
/// What the database says.
pub async fn choices(db: &Db) -> Result<(Vec<String>, Vec<String>)> {
    store::filter_choices(db).await
}
