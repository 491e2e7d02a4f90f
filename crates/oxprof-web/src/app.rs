//! The page's memory: profiles, views, settings.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use oxprof_report::options::Options;
use oxprof_report::{Binaries, SourceFiles};

use crate::library::{Choice, Entry, Library};
use crate::reply::Reply;
use crate::request::{Ask, Query, takes_gzip};
use crate::settings::SettingsFile;
use crate::trace::Trace;
use crate::view::{View, Views};
use crate::world::Closed;
use crate::{Giver, Loaded, TraceSetup, World, router};

/// What a page starts with. Its first profile comes by [`App::show`].
#[expect(missing_debug_implementations, reason = "a world is known by what it does")]
pub struct Setup {
    /// What to call the first profile.
    pub name: String,
    /// Options that hold where a URL says nothing else.
    pub options: Options,
    /// Where named configurations are kept.
    pub settings: SettingsFile,
    /// The machine.
    pub world: Arc<dyn World>,
}

/// The page.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "a world is known by what it does")]
pub struct App(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) library: Library,
    pub(crate) views: Views,
    pub(crate) options: Options,
    pub(crate) settings: SettingsFile,
    pub(crate) world: Arc<dyn World>,
    pub(crate) trace: Option<Trace>,
}

impl App {
    /// A page that has no profile yet. It can be served: questions about the profile wait for it.
    pub fn new(setup: Setup) -> Self {
        Self::build(setup, None)
    }

    /// A page of a trace, beside which its profiles are looked at.
    pub fn with_trace(setup: Setup, trace: TraceSetup) -> Self {
        Self::build(setup, Some(Trace::new(trace)))
    }

    fn build(setup: Setup, trace: Option<Trace>) -> Self {
        let Setup { name, options, settings, world } = setup;
        let (library, views) = (Library::new(name), Views::default());
        Self(Arc::new(Inner { library, views, options, settings, world, trace }))
    }

    /// Shows a profile as the first one, in place of the one before.
    pub fn show(&self, loaded: Loaded) {
        self.0.library.set_first(loaded);
    }

    /// Prepares what most people look at first, so that it is there when they do.
    pub fn prepare(&self) {
        // What is wrong with the options is said to whoever asks.
        if let Ok(view) = self.0.view(&Query::default(), "flame") {
            view.names();
        }
    }

    /// Adds a profile; gives its id.
    pub(crate) fn add(&self, name: &str, loaded: Loaded, giver: Giver) -> u64 {
        self.0.library.add(name, loaded, giver)
    }

    /// Answers a request, which may take a while.
    pub(crate) fn answer(&self, ask: &Ask) -> Response<Full<Bytes>> {
        router::answer(&self.0, ask).into_response(takes_gzip(&ask.headers))
    }
}

/// Why a request cannot be answered, in words, and whose fault that is.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) StatusCode, pub(crate) String);

impl Refusal {
    pub(crate) fn bad(message: impl ToString) -> Self {
        Self(StatusCode::BAD_REQUEST, message.to_string())
    }
}

impl From<Refusal> for Reply {
    fn from(Refusal(status, message): Refusal) -> Self {
        Self::error(status, &message)
    }
}

impl Inner {
    /// The options of a URL.
    pub(crate) fn options(&self, query: &Query) -> Result<Options, Refusal> {
        let mut options = self.options.clone();
        let result = options.apply_url(query.pairs());
        result.map_err(|(name, e)| Refusal::bad(format!("{name}: {e}")))?;
        Ok(options)
    }

    /// The profile that a URL is about.
    pub(crate) fn entry(&self, query: &Query) -> Result<Arc<Entry>, Refusal> {
        let id = |name: &str| match query.get(name) {
            "" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|_| Refusal::bad(format!("{name}={text} is no number of a profile"))),
        };
        let normalize = self.options(query)?.normalize;
        let choice = Choice { profile: id("profile")?, base: id("base")?, normalize };
        self.library.choose(choice).map_err(Refusal::bad)
    }

    /// The view of a URL, for a kind of report.
    pub(crate) fn view(&self, query: &Query, format: &'static str) -> Result<Arc<View>, Refusal> {
        self.view_with(query, (format, ""), &self.options(query)?)
    }

    pub(crate) fn view_with(
        &self,
        query: &Query,
        format: (&'static str, &str),
        options: &Options,
    ) -> Result<Arc<View>, Refusal> {
        let entry = self.entry(query)?;
        self.views.get(&entry, format, options, &*self.world).map_err(Refusal::bad)
    }

    /// Hands the source files that a view's profile names to `with`.
    pub(crate) fn with_sources(&self, view: &View, with: &mut dyn FnMut(&dyn SourceFiles)) {
        match view.giver {
            Giver::User => self.world.with_sources(&view.prepared.profile, with),
            Giver::Visitor => with(&Closed),
        }
    }

    /// Hands the binaries that a view's profile names to `with`.
    pub(crate) fn with_binaries(
        &self,
        view: &View,
        options: &Options,
        with: &mut dyn FnMut(&dyn Binaries),
    ) {
        match view.giver {
            Giver::User => self.world.with_binaries(options, with),
            Giver::Visitor => with(&Closed),
        }
    }
}
