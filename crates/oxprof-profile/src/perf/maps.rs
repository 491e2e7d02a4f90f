//! Which file is mapped where, in each process.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use crate::{Builder, Mapping, MappingIdx};

/// The process id under which the kernel and its modules are mapped.
pub(super) const KERNEL: u32 = u32::MAX;

/// Mappings of one process by start address.
type Space = BTreeMap<u64, (u64, MappingIdx)>;

/// The address spaces of all processes as they are at one time.
#[derive(Debug, Default)]
pub(super) struct Spaces {
    /// Shared between a process and its children until one of them maps something.
    spaces: HashMap<u32, Rc<Space>>,
    known: HashMap<(Vec<u8>, u64, u64, u64), MappingIdx>,
    build_ids: HashMap<Vec<u8>, String>,
}

impl Spaces {
    /// Files with this name have this build id.
    pub(super) fn set_build_id(&mut self, file: &[u8], id: &[u8]) {
        let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        self.build_ids.insert(file.to_vec(), hex);
    }

    /// `file` was mapped; it replaces what lay there.
    pub(super) fn map(
        &mut self,
        builder: &mut Builder,
        pid: u32,
        start: u64,
        len: u64,
        offset: u64,
        file: &[u8],
    ) {
        let Some(limit) = start.checked_add(len).filter(|_| len > 0) else { return };
        let mapping = self.mapping(builder, start, limit, offset, file);
        let space = Rc::make_mut(self.spaces.entry(pid).or_default());
        // What began before and reaches into the range ends at it; a rest behind it is rare and lost.
        if let Some((_, (end, _))) = space.range_mut(..start).next_back() {
            *end = (*end).min(start);
        }
        let covered: Vec<u64> = space.range(start..limit).map(|(&from, _)| from).collect();
        for from in covered {
            space.remove(&from);
        }
        space.insert(start, (limit, mapping));
    }

    /// `child` starts with the mappings of `parent`.
    pub(super) fn fork(&mut self, parent: u32, child: u32) {
        if let Some(space) = self.spaces.get(&parent).cloned() {
            self.spaces.insert(child, space);
        }
    }

    /// The process starts another program.
    pub(super) fn exec(&mut self, pid: u32) {
        self.spaces.remove(&pid);
    }

    /// What lies at an address.
    pub(super) fn find(&self, pid: u32, address: u64) -> Option<MappingIdx> {
        let (_, &(limit, mapping)) = self.spaces.get(&pid)?.range(..=address).next_back()?;
        (address < limit).then_some(mapping)
    }

    fn mapping(
        &mut self,
        builder: &mut Builder,
        start: u64,
        limit: u64,
        offset: u64,
        file: &[u8],
    ) -> MappingIdx {
        *self.known.entry((file.to_vec(), start, limit, offset)).or_insert_with(|| {
            let strings = &mut builder.profile.strings;
            let build_id = self.build_ids.get(file).map_or("", String::as_str);
            let (file, build_id) = (strings.intern_bytes(file), strings.intern(build_id));
            builder.mapping(Mapping { start, limit, offset, file, build_id, ..Mapping::default() })
        })
    }
}
