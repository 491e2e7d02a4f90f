//! What files are mapped where: `/proc/self/maps`.

use std::fs;
use std::ops::Range;

use super::modules::Binaries;

/// An executable mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) range: Range<u64>,
    pub(crate) offset: u64,
    /// Path, without a mark that the file was deleted; or a name such as `[vdso]`.
    pub(crate) file: String,
    /// In hexadecimal; empty if unknown.
    pub(crate) build_id: String,
}

/// The executable mappings there are, and those there were since the session began, by address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Maps {
    rows: Vec<Row>,
}

/// Beyond so many, earlier mappings are forgotten: a program that loads and unloads all day has no end of them.
const MOST_ROWS: usize = 4096;

impl Maps {
    /// Adds the mappings there are now. They take the place of earlier ones at the same addresses.
    pub(crate) fn update(&mut self, binaries: &Binaries) {
        // If it cannot be read, addresses stay without a mapping.
        let text = fs::read_to_string("/proc/self/maps").unwrap_or_default();
        if self.rows.len() > MOST_ROWS {
            self.rows.clear();
        }
        for mut row in text.lines().filter_map(parse) {
            row.build_id = build_id(&row.range, binaries);
            self.rows
                .retain(|old| old.range.end <= row.range.start || old.range.start >= row.range.end);
            self.rows.push(row);
        }
        self.rows.sort_by_key(|row| row.range.start);
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Position of the first mapping of the program itself.
    pub(crate) fn program(&self) -> Option<usize> {
        let program = program()?;
        self.rows.iter().position(|row| row.file == program)
    }

    /// Position of the mapping that holds `address`.
    pub(crate) fn find(&self, address: u64) -> Option<usize> {
        let after = self.rows.partition_point(|row| row.range.start <= address);
        after.checked_sub(1).filter(|&i| address < self.rows[i].range.end)
    }
}

/// The file of the program itself, as [`Row::file`] has it.
pub(crate) fn program() -> Option<String> {
    let path = fs::read_link("/proc/self/exe").ok()?.into_os_string().into_string().ok()?;
    Some(path.strip_suffix(" (deleted)").map(str::to_owned).unwrap_or(path))
}

fn build_id(range: &Range<u64>, binaries: &Binaries) -> String {
    let overlaps = |text: &Range<u64>| text.start < range.end && range.start < text.end;
    binaries.iter().find(|b| overlaps(b.text())).map(|b| b.build_id()).unwrap_or_default()
}

/// `start-end perms offset device inode   path`, if it is executable and has a name.
fn parse(line: &str) -> Option<Row> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let (permissions, rest) = rest.split_once(' ')?;
    let (offset, rest) = rest.split_once(' ')?;
    let (_device, rest) = rest.split_once(' ')?;
    let file = rest.split_once(' ').map_or("", |(_inode, file)| file.trim_start());
    if permissions.as_bytes().get(2) != Some(&b'x') || file.is_empty() {
        return None;
    }
    let number = |digits| u64::from_str_radix(digits, 16).ok();
    Some(Row {
        range: number(start)?..number(end)?,
        offset: number(offset)?,
        file: file.strip_suffix(" (deleted)").unwrap_or(file).to_owned(),
        build_id: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows() {
        let check = |line, expected: Option<(Range<u64>, u64, &str)>| {
            let row = parse(line).map(|r| (r.range, r.offset, r.file));
            assert_eq!(row, expected.map(|(range, offset, file)| (range, offset, file.to_owned())));
        };
        check(
            "55d0-55f0 r-xp 00001000 fd:01 123                 /usr/bin/a b (deleted)",
            Some((0x55d0..0x55f0, 0x1000, "/usr/bin/a b")),
        );
        check(
            "7ffd1000-7ffd2000 r-xp 00000000 00:00 0    [vdso]",
            Some((0x7ffd_1000..0x7ffd_2000, 0, "[vdso]")),
        );
        check("55d0-55f0 rw-p 00001000 fd:01 123 /usr/bin/a", None);
        check("55d0-55f0 r-xp 00001000 00:00 0 ", None);
        check("", None);
    }
}
