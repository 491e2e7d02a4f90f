//! What a program tells `tracing`, in its traces.

use std::fmt::{self, Write};

use oxprof_trace::record::What;
use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Id};
use tracing_core::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::{Task, hooks, user};
use crate::stacks;

/// Shows the spans and events of `tracing` in execution traces.
///
/// ```
/// use tracing_subscriber::layer::SubscriberExt;
/// use tracing_subscriber::util::SubscriberInitExt;
///
/// tracing_subscriber::registry().with(oxprof::trace::TracingLayer).init();
/// ```
///
/// A span without a parent is a [task](super::task), each time that a span is entered a [region](super::region) of it, and
/// an event a [message](super::log()) of the category that its target is. Nothing is noted while no trace is recorded; of spans
/// that were there before, the regions are.
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingLayer;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for TracingLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if !hooks::is_on() {
            return;
        }
        if let Some(span) = context.span(id)
            && span.parent().is_none()
        {
            span.extensions_mut().insert(user::task(attributes.metadata().name()));
        }
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        if hooks::is_on()
            && let Some(span) = context.span(id)
        {
            let (task, stack) = (task_of(id, &context), stacks::capture().to_raw());
            hooks::tell(What::RegionBegin { task, name: span.name().into(), stack });
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        if hooks::is_on()
            && let Some(span) = context.span(id)
        {
            let (task, stack) = (task_of(id, &context), stacks::capture().to_raw());
            hooks::tell(What::RegionEnd { task, name: span.name().into(), stack });
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if !hooks::is_on() {
            return;
        }
        let mut message = Message(event.metadata().level().to_string());
        event.record(&mut message);
        let task = context.event_span(event).map_or(0, |span| task_of(&span.id(), &context));
        let category = event.metadata().target().into();
        let stack = stacks::capture().to_raw();
        hooks::tell(What::Log { task, category, message: message.0.into(), stack });
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        // Taken out first: what ends the task is not to run under the span's lock.
        let task = context.span(&id).and_then(|span| span.extensions_mut().remove::<Task>());
        drop(task);
    }
}

/// The task that the outermost span around a span is; 0 if it is none.
fn task_of<S: Subscriber + for<'a> LookupSpan<'a>>(id: &Id, context: &Context<'_, S>) -> u64 {
    let root = context.span_scope(id).and_then(|scope| scope.last());
    root.and_then(|root| root.extensions().get::<Task>().map(Task::id)).unwrap_or(0)
}

/// The fields of an event as text.
struct Message(String);

impl Visit for Message {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format_args!("{value:?}"));
    }
}

impl Message {
    fn add(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        // Writing to a string does not fail, but a value's own formatting may: then it is cut.
        _ = match field.name() {
            "message" => write!(self.0, " {value}"),
            name => write!(self.0, " {name}={value}"),
        };
    }
}
