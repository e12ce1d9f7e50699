//! How the engine is configured: what guests may contain, and the pool that instances come from.

use crate::config::Settings;
use crate::permit;
use std::num::NonZeroUsize;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Stack of a guest, in bytes.
const STACK_BYTES_MAX: usize = 256 << 10;
/// Stack of the fiber it runs on: the guest's, and what host functions need on top.
const FIBER_BYTES: usize = 512 << 10;
/// Core instances of one component: the feature set, the value runtime, and what adapters add.
const CORE_INSTANCES_MAX: u32 = 8;
/// Frames looked through for the statement that a trap belongs to.
const BACKTRACE_FRAMES_MAX: usize = 256;
/// Elements of a table.
const TABLE_ELEMENTS_MAX: usize = 4096;
/// Memory that a freed slot keeps, to be reset by copying instead of by system calls.
const KEEP_RESIDENT_BYTES: usize = 512 << 10;
const TABLE_KEEP_RESIDENT_BYTES: usize = 32 << 10;
/// Idle instances hold slots as well as running ones: this many for each that may run.
const IDLE_PER_RUNNING: usize = 2;

/// Idle instances that a host keeps.
pub(super) fn idle_instances_max(settings: &Settings) -> usize {
    slots(settings).saturating_sub(running(settings))
}

/// Instances that may run at once, nested ones included.
fn running(settings: &Settings) -> usize {
    let limits = &settings.limits;
    permit::total(limits.instances_max, limits.event_depth_max)
}

fn slots(settings: &Settings) -> usize {
    let idle = settings
        .limits
        .instances_max
        .saturating_mul(IDLE_PER_RUNNING);
    let running = running(settings);
    running.saturating_add(idle).min(INSTANCES_MAX.max(running))
}

/// All that machine code depends on; the same in every process of a build.
pub(super) fn code() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        .wasm_extended_const(true)
        .concurrency_support(false)
        .epoch_interruption(true)
        .wasm_backtrace_max_frames(NonZeroUsize::new(BACKTRACE_FRAMES_MAX))
        .generate_address_map(true)
        .native_unwind_info(false)
        .memory_init_cow(true)
        .max_wasm_stack(STACK_BYTES_MAX)
        .async_stack_size(FIBER_BYTES);
    config
}

pub(super) fn config(settings: &Settings) -> Config {
    let mut config = code();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(settings)));
    config
}

fn pool(settings: &Settings) -> PoolingAllocationConfig {
    let instances = u32::try_from(slots(settings)).unwrap_or(u32::MAX);
    let memories = u32::try_from(settings.artifact.memories_per_component_max).unwrap_or(u32::MAX);
    let tables = u32::try_from(settings.artifact.tables_per_component_max).unwrap_or(u32::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(2))
        .total_memories(instances)
        .total_tables(instances.saturating_mul(2))
        .total_stacks(instances)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(memories)
        .max_tables_per_component(tables)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_memory_size(settings.limits.memory_bytes_max)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(TABLE_KEEP_RESIDENT_BYTES)
        .pagemap_scan(pagemap_scan());
    pool
}

/// Slots of the pool: each costs address space and, once used, four or five memory mappings of the 65,530 that a process may have.
const INSTANCES_MAX: usize = 10_000;

/// With swap the scan can miss pages that were swapped out and leave old data behind, so it is used only where no swap is on.
fn pagemap_scan() -> Enabled {
    let swaps = std::fs::read_to_string("/proc/swaps");
    match swaps {
        Ok(text) if text.lines().count() <= 1 => Enabled::Auto,
        Ok(_) | Err(_) => Enabled::No,
    }
}
