//! The one redactor that stands before every output.
