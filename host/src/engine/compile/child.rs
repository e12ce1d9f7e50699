//! Compiling in a process of its own: hostile Wasm can make a compiler slow or hungry, and what that takes is the child's, which has limits and is ended.
//!
//! The child reads parts from its input and writes machine code to its output, each as one byte (which kind; whether it went well) and a length of eight bytes before the bytes themselves, little-endian. It ends with its input.

use super::code::MachineCode;
use super::{Kind, Part};
use crate::config::ArtifactLimits;
use crate::engine::pool;
use parking_lot::Mutex;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use wasmtime::Module;
use wasmtime::component::Component;

/// Machine code of one part.
const CODE_BYTES_MAX: u64 = 1 << 30;
/// What the engine says of Wasm that it refuses.
const REASON_BYTES_MAX: usize = 4 << 10;

const REFUSED: u8 = 0;
const COMPILED: u8 = 1;

/// Why a part was not compiled.
pub(super) enum ChildError {
    Refused(String),
    /// It was cut off by a limit, or went wrong.
    Ended(String),
    Io(io::Error),
}

/// A process that compiles, and the thread that ends it when its time is over.
pub(super) struct Child {
    process: Arc<Mutex<std::process::Child>>,
    input: Option<ChildStdin>,
    output: ChildStdout,
    watch: Option<(SyncSender<()>, JoinHandle<()>)>,
    is_late: Arc<AtomicBool>,
    limits: ArtifactLimits,
}

impl Child {
    pub(super) fn start(program: &Path, limits: &ArtifactLimits) -> io::Result<Self> {
        let mut process = Command::new(program)
            .args(["compile-parts", "--memory-bytes"])
            .arg(limits.compile_memory_bytes_max.to_string())
            .arg("--cpu-seconds")
            .arg(limits.compile_cpu_time_max.as_secs().to_string())
            // Secrets of the host are none of a compiler's business.
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (input, output) = (process.stdin.take(), process.stdout.take());
        let output = output.ok_or(io::ErrorKind::BrokenPipe)?;
        let process = Arc::new(Mutex::new(process));
        let is_late = Arc::<AtomicBool>::default();
        let (ended, end) = mpsc::sync_channel(1);
        let (watched, late) = (Arc::clone(&process), Arc::clone(&is_late));
        let time = limits.compile_wall_time_max;
        let watch = std::thread::Builder::new().name("compile-watch".to_owned());
        let watch = watch.spawn(move || {
            if end.recv_timeout(time) == Err(RecvTimeoutError::Timeout) {
                late.store(true, Ordering::Relaxed);
                // It may have ended by itself.
                watched.lock().kill().ok();
            }
        })?;
        Ok(Self {
            process,
            input,
            output,
            watch: Some((ended, watch)),
            is_late,
            limits: limits.clone(),
        })
    }

    pub(super) fn compile(&mut self, kind: Kind, wasm: &[u8]) -> Result<MachineCode, ChildError> {
        match self.ask(kind, wasm) {
            Ok((COMPILED, code)) => Ok(MachineCode::vouched(code)),
            Ok((_, reason)) => {
                let reason = String::from_utf8_lossy(&reason).into_owned();
                Err(ChildError::Refused(reason))
            }
            Err(error) => {
                let ends = [io::ErrorKind::BrokenPipe, io::ErrorKind::UnexpectedEof];
                Err(match ends.contains(&error.kind()) {
                    true => self.ended(),
                    false => ChildError::Io(error),
                })
            }
        }
    }

    fn ask(&mut self, kind: Kind, wasm: &[u8]) -> io::Result<(u8, Vec<u8>)> {
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        write_frame(input, kind as u8, wasm)?;
        read_frame(&mut self.output, CODE_BYTES_MAX)?.ok_or(io::ErrorKind::UnexpectedEof.into())
    }

    /// Why the process answers no more.
    fn ended(&mut self) -> ChildError {
        self.input = None;
        let mut process = self.process.lock();
        // It is on its way out; this makes sure, and changes nothing of its status.
        process.kill().ok();
        let status = process.wait();
        drop(process);
        match status {
            Ok(status) => ChildError::Ended(self.why(status)),
            Err(error) => ChildError::Io(error),
        }
    }

    fn why(&self, status: ExitStatus) -> String {
        let limits = &self.limits;
        if self.is_late.load(Ordering::Relaxed) {
            let seconds = limits.compile_wall_time_max.as_secs();
            return format!("compiling took longer than compile_wall_time_max ({seconds} s)");
        }
        match status.signal() {
            Some(SIGXCPU) => {
                let seconds = limits.compile_cpu_time_max.as_secs();
                format!("compiling needs more than compile_cpu_time_max ({seconds} s)")
            }
            Some(SIGABRT) => {
                let mebibytes = limits.compile_memory_bytes_max >> 20;
                format!("compiling needs more than compile_memory_bytes_max ({mebibytes} MiB)")
            }
            _ => format!("the process that compiles ended with {status}"),
        }
    }
}

/// Out of memory: the allocator's last word.
const SIGABRT: i32 = 6;
/// Out of processor time.
const SIGXCPU: i32 = 24;

impl Drop for Child {
    fn drop(&mut self) {
        // The end of its input ends it; what hangs all the same is killed.
        self.input = None;
        let mut process = self.process.lock();
        process.kill().ok();
        process.wait().ok();
        drop(process);
        if let Some((ended, watch)) = self.watch.take() {
            drop(ended);
            watch.join().ok();
        }
    }
}

/// What the child does: compiles the parts of `input` until it ends, and writes their machine code to `output`.
///
/// Called by a process that has given up what compiling does not need.
///
/// # Errors
/// Whatever reading and writing meets. Wasm that the engine refuses is answered, and no error.
pub fn compile_parts(mut input: impl Read, mut output: impl Write) -> io::Result<()> {
    let mut config = pool::code();
    config.parallel_compilation(false);
    let engine = wasmtime::Engine::new(&config).map_err(io::Error::other)?;
    while let Some((kind, wasm)) = read_frame(&mut input, u64::MAX)? {
        let code = match kind {
            kind if kind == Kind::Component as u8 => code::<Component>(&engine, &wasm),
            _ => code::<Module>(&engine, &wasm),
        };
        match code {
            Ok(code) => write_frame(&mut output, COMPILED, &code)?,
            Err(error) => {
                let reason = format!("{error:#}");
                let end = reason.floor_char_boundary(REASON_BYTES_MAX);
                let reason = reason.get(..end).unwrap_or_default();
                write_frame(&mut output, REFUSED, reason.as_bytes())?;
            }
        }
    }
    Ok(())
}

fn code<P: Part>(engine: &wasmtime::Engine, wasm: &[u8]) -> wasmtime::Result<Vec<u8>> {
    P::compile(engine, wasm)?.serialize()
}

fn write_frame(output: &mut impl Write, kind: u8, bytes: &[u8]) -> io::Result<()> {
    output.write_all(&[kind])?;
    output.write_all(&(bytes.len() as u64).to_le_bytes())?;
    output.write_all(bytes)?;
    output.flush()
}

/// `None` at the end.
fn read_frame(input: &mut impl Read, bytes_max: u64) -> io::Result<Option<(u8, Vec<u8>)>> {
    let mut kind = [0];
    if input.read(&mut kind)? == 0 {
        return Ok(None);
    }
    let mut length = [0; 8];
    input.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > bytes_max {
        let error = format!("{length} bytes of machine code; at most {bytes_max} are taken");
        return Err(io::Error::new(io::ErrorKind::InvalidData, error));
    }
    let mut bytes = Vec::new();
    let read = input.take(length).read_to_end(&mut bytes)?;
    if (read as u64) < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let [kind] = kind;
    Ok(Some((kind, bytes)))
}
