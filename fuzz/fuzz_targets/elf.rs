//! ELF files around parts that a fuzzer makes, so that it need not find out how such files begin.

/// Where the first section with an address is.
pub const START: u64 = 0x1000;

/// A section: name, address, content.
pub type Section<'a> = (&'a str, u64, &'a [u8]);

/// A linked program for processor `machine` that has these sections, all of them loaded, the first as code.
pub fn program(machine: u16, sections: &[Section<'_>]) -> Vec<u8> {
    const HEADER: usize = 64;
    const SEGMENT: usize = 56;
    let mut file = vec![0; HEADER + SEGMENT];
    let mut names = vec![0];
    let mut table = vec![0; HEADER];
    let mut add = |file: &mut Vec<u8>, name: &str, address: u64, content: Option<&[u8]>| {
        let at = names.len() as u32;
        names.extend(name.bytes().chain([0]));
        let content = content.map_or_else(|| names.clone(), <[u8]>::to_vec);
        // Text comes after the names of sections only.
        let (kind, flags) = (if name == ".shstrtab" { 3 } else { 1_u32 }, u64::from(address != 0) * 6);
        table.extend([at, kind].iter().flat_map(|n| n.to_le_bytes()));
        let place = [flags, address, file.len() as u64, content.len() as u64, 0, 1, 0];
        table.extend(place.iter().flat_map(|n: &u64| n.to_le_bytes()));
        file.extend(content);
    };
    let code = sections.first().map_or(0, |(_, _, content)| content.len() as u64);
    for (name, address, content) in sections {
        add(&mut file, name, *address, Some(content));
    }
    add(&mut file, ".shstrtab", 0, None);
    let (start, count) = (file.len() as u64, sections.len() as u16 + 2);
    file.extend(table);
    file[..20].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\0\0");
    file[18..20].copy_from_slice(&machine.to_le_bytes());
    file[20] = 1;
    let mut set = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    set(32, &(HEADER as u64).to_le_bytes());
    set(40, &start.to_le_bytes());
    for (at, number) in [(54, SEGMENT as u16), (56, 1), (58, HEADER as u16), (60, count), (62, count - 1)] {
        set(at, &number.to_le_bytes());
    }
    set(52, &(HEADER as u16).to_le_bytes());
    // Loaded, readable and executable.
    set(HEADER, &[1, 0, 0, 0, 5, 0, 0, 0]);
    let segment = [(HEADER + SEGMENT) as u64, START, START, code, code, 1];
    for (i, number) in segment.iter().enumerate() {
        set(HEADER + 8 + 8 * i, &number.to_le_bytes());
    }
    file
}
