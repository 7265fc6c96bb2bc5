//! What ends the process, whatever else it does or waits for: a signal, or the end of its time.
//!
//! Threads of their own wait for them: the others may stand in a call that does not come back (a disk
//! that hangs, a pipe that nobody reads). Who is told has a moment to end well; then all ends.

use std::io;
use std::process::exit;
use std::thread;
use std::time::Duration;

use preflight::deadline::Deadline;
use preflight::exit_code::ExitCode as Code;
use preflight::limits::LAST_WORD;
use rustix::process::Signal as Number;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch::{self, Receiver, Sender};

/// How long work that cannot be interrupted (a write, an fsync) may take to end after a signal.
pub(crate) const GRACE: Duration = Duration::from_secs(4);

/// When all ends, what was said of it included.
const END: Duration = Duration::from_millis(4500);

/// Knows whether a signal has come.
#[derive(Debug, Clone)]
pub(crate) struct Signals(Receiver<Option<Code>>);

/// The two kinds.
struct Kinds {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
}

impl Signals {
    /// From here on neither signal has its default effect; as process 1 there is none for either. Those of
    /// `kept`, a bit for each, stay as they are: what has a handler would be without one in who takes the
    /// place of this process.
    ///
    /// # Errors
    /// When the system lets the process have no more threads or files.
    pub(crate) fn watch(kept: u64) -> io::Result<Self> {
        let handled = |number: Number| {
            let number = number.as_raw();
            let is_kept = kept >> (number - 1) & 1 == 1;
            (!is_kept).then(|| signal(SignalKind::from_raw(number))).transpose()
        };
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let inside = runtime.enter();
        let kinds = Kinds { terminate: handled(Number::TERM)?, interrupt: handled(Number::INT)? };
        // With a handler, a file that may not grow is an error of who writes it (`EFBIG`), and not the end
        // of the process.
        drop(handled(Number::XFSZ)?);
        drop(inside);
        let (sender, receiver) = watch::channel(None);
        // Not joined: it waits for as long as the process lives.
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || end_after_signal(&runtime, kinds, &sender))?;
        Ok(Self(receiver))
    }

    /// What a signal that has come makes the process exit with.
    pub(crate) fn seen(&self) -> Option<Code> {
        *self.0.borrow()
    }

    /// Waits for a signal; what the process then exits with.
    pub(crate) async fn came(mut self) -> Code {
        let code = self.0.wait_for(Option::is_some).await.map(|code| *code);
        match code {
            Ok(Some(code)) => code,
            // The thread lives for as long as the process.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }
}

/// Ends the process when it still stands somewhere although its time has long been over.
///
/// # Errors
/// When the system lets the process have no more threads.
pub(crate) fn end_after(deadline: Deadline) -> io::Result<()> {
    let end = deadline.and(LAST_WORD).and(END);
    let sleep = move || {
        thread::sleep(end.left());
        exit_with(Code::Unjudged);
    };
    thread::Builder::new().name("deadline".to_owned()).spawn(sleep).map(drop)
}

async fn came(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

fn end_after_signal(runtime: &Runtime, mut kinds: Kinds, sender: &Sender<Option<Code>>) {
    let code = runtime.block_on(async {
        tokio::select! {
            () = came(&mut kinds.terminate) => Code::Terminated,
            () = came(&mut kinds.interrupt) => Code::Interrupted,
        }
    });
    sender.send_replace(Some(code));
    thread::sleep(END);
    exit_with(code);
}

#[expect(clippy::exit, reason = "the thread that would return the code may never come back")]
fn exit_with(code: Code) -> ! {
    exit(i32::from(code.code()))
}
