//! Files that an engine uses together: an adapter, a projector or a draft, and the model of the lane.

mod adapters;
mod drafts;
mod llama;
mod settings;
