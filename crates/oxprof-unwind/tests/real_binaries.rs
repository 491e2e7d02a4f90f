//! Tables of real binaries say the same as gimli does, address by address.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod support;

use gimli::{BaseAddresses, CfaRule, LittleEndian, Register, RegisterRule, UnwindSection};
use oxprof_unwind::{Arch, Cfa, EhFrame, Rule, Saved, Table};

use support::Binary;

const FP: Register = Register(6);

/// Whether `rule` is what gimli's row says, as far as this crate interprets it.
fn agrees(
    rule: &Rule,
    cfa: &CfaRule<usize>,
    fp: Option<&RegisterRule<usize>>,
    ra: Option<&RegisterRule<usize>>,
) -> bool {
    let cfa_agrees = match (rule.cfa, cfa) {
        (
            Cfa::Register { register, offset },
            CfaRule::RegisterAndOffset { register: r, offset: o },
        ) => (u16::from(register), i64::from(offset)) == (r.0, *o),
        (Cfa::Deref { .. } | Cfa::Plt { .. } | Cfa::Unsupported, CfaRule::Expression(_)) => true,
        _ => false,
    };
    cfa_agrees && saved_agrees(rule.fp, fp) && saved_agrees(rule.ra, ra)
}

fn saved_agrees(saved: Saved, rule: Option<&RegisterRule<usize>>) -> bool {
    let Some(rule) = rule else { return saved == Saved::Same };
    match (saved, rule) {
        (Saved::Undefined, RegisterRule::Undefined) => true,
        (Saved::Same, RegisterRule::SameValue) => true,
        (Saved::AtCfa(offset), RegisterRule::Offset(o)) => i64::from(offset) == *o,
        (Saved::In { register }, RegisterRule::Register(r)) => u16::from(register) == r.0,
        (Saved::At { .. }, RegisterRule::Expression(_)) => true,
        (Saved::Unsupported, rule) => !matches!(rule, RegisterRule::Offset(_)),
        _ => false,
    }
}

/// Compares the first and last byte of every row; returns how many rows there were.
fn compare(binary: &Binary, table: &Table) -> usize {
    let mut section = gimli::EhFrame::new(&binary.eh_frame, LittleEndian);
    section.set_address_size(8);
    let bases = BaseAddresses::default().set_eh_frame(binary.eh_frame_address);
    let (mut entries, mut context, mut rows) =
        (section.entries(&bases), gimli::UnwindContext::new(), 0);
    while let Some(entry) = entries.next().unwrap() {
        let gimli::CieOrFde::Fde(partial) = entry else { continue };
        let fde = partial.parse(gimli::EhFrame::cie_from_offset).unwrap();
        if !binary.text.contains(&fde.initial_address()) || fde.len() == 0 {
            continue;
        }
        let mut unwind = fde.rows(&section, &bases, &mut context).unwrap();
        while let Some(row) = unwind.next_row().unwrap() {
            if row.start_address() == row.end_address() {
                continue;
            }
            rows += 1;
            let ra = row.register(fde.cie().return_address_register());
            let fp = row.register(FP);
            for address in [row.start_address(), row.end_address() - 1] {
                let rule = table.lookup(address - binary.text.start);
                let same = rule.is_some_and(|r| {
                    agrees(r, row.cfa(), fp.as_ref(), ra.as_ref())
                        && r.signal == fde.is_signal_trampoline()
                });
                assert!(same, "{address:#x} in {:?}: {rule:?}, not {row:?}", binary.path);
            }
        }
    }
    rows
}

#[test]
fn tables_agree_with_gimli() {
    for binary in support::binaries() {
        let section = EhFrame { bytes: &binary.eh_frame, address: binary.eh_frame_address };
        let (table, stats) = Table::compile(&Arch::X86_64, &section, binary.text.clone()).unwrap();
        let rows = compare(&binary, &table);
        eprintln!(
            "{}: {rows} rows agree; {stats:?}, {} bytes for {} of .eh_frame",
            binary.path.display(),
            table.size(),
            binary.eh_frame.len()
        );
        assert_eq!(stats.malformed, 0);
        assert!(rows > 0 && stats.unsupported == 0, "{stats:?}");
        assert!(table.size() < 2 * binary.eh_frame.len() + 4096);
    }
}

#[test]
fn the_length_of_a_section_is_found_in_memory() {
    for binary in support::binaries() {
        let mut bytes = binary.eh_frame.clone();
        bytes.extend_from_slice(&[0; 4]);
        let found = EhFrame::length_within(&[&bytes[..], &[7; 100]].concat());
        // Ends at the section's own end mark, or at the one that was added.
        assert!((binary.eh_frame.len()..=bytes.len()).contains(&found), "{:?}", binary.path);
    }
}
