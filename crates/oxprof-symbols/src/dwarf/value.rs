//! Values of attributes.

use gimli::DwForm;
use gimli::constants as dw;

use super::abbrev::{Attribute, Skip, Widths, skip_of};
use crate::cursor::Cursor;

/// What an attribute says, before anything is looked up elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Address(u64),
    AddressIndex(u64),
    Number(u64),
    /// An offset into the section that goes with the attribute.
    Offset(u64),
    ListIndex(u64),
    /// Right here, up to its zero.
    Text(usize),
    /// In `.debug_str`.
    TextAt(u64),
    /// In `.debug_line_str`.
    LineTextAt(u64),
    /// In `.debug_str` of the file that several objects share.
    SharedTextAt(u64),
    TextIndex(u64),
    /// An entry of the same unit, from the beginning of its header.
    Local(u64),
    /// An entry of any unit, from the beginning of `.debug_info`.
    Global(u64),
    /// An entry of the file that several objects share.
    Shared(u64),
    Other,
}

impl Value {
    pub(crate) fn number(self) -> Option<u64> {
        match self {
            Self::Number(n) => Some(n),
            _ => None,
        }
    }

    /// A number that fits what frames have room for; 0 otherwise.
    pub(crate) fn small(self) -> u32 {
        self.number().and_then(|n| u32::try_from(n).ok()).unwrap_or(0)
    }
}

/// Reads the value of `attribute`.
pub(crate) fn read(cursor: &mut Cursor<'_>, attribute: Attribute, widths: Widths) -> Option<Value> {
    let mut form = attribute.form;
    // A form that says that the form follows may follow itself, but to no end.
    if form == dw::DW_FORM_indirect {
        form = DwForm(u16::try_from(cursor.uleb()?).ok()?);
    }
    match form {
        dw::DW_FORM_addr => cursor.uint(widths.address).map(Value::Address),
        dw::DW_FORM_addrx | dw::DW_FORM_GNU_addr_index => cursor.uleb().map(Value::AddressIndex),
        dw::DW_FORM_addrx1 => cursor.uint(1).map(Value::AddressIndex),
        dw::DW_FORM_addrx2 => cursor.uint(2).map(Value::AddressIndex),
        dw::DW_FORM_addrx3 => cursor.uint(3).map(Value::AddressIndex),
        dw::DW_FORM_addrx4 => cursor.uint(4).map(Value::AddressIndex),
        dw::DW_FORM_data1 => cursor.uint(1).map(Value::Number),
        dw::DW_FORM_data2 => cursor.uint(2).map(Value::Number),
        dw::DW_FORM_data4 => cursor.uint(4).map(Value::Number),
        dw::DW_FORM_data8 => cursor.uint(8).map(Value::Number),
        dw::DW_FORM_udata => cursor.uleb().map(Value::Number),
        dw::DW_FORM_sdata => cursor.sleb().map(|n| Value::Number(n as u64)),
        dw::DW_FORM_implicit_const => Some(Value::Number(attribute.implicit as u64)),
        dw::DW_FORM_sec_offset => cursor.uint(widths.offset).map(Value::Offset),
        dw::DW_FORM_rnglistx => cursor.uleb().map(Value::ListIndex),
        dw::DW_FORM_string => {
            let at = cursor.position();
            cursor.text().map(|_| Value::Text(at))
        }
        dw::DW_FORM_strp => cursor.uint(widths.offset).map(Value::TextAt),
        dw::DW_FORM_line_strp => cursor.uint(widths.offset).map(Value::LineTextAt),
        dw::DW_FORM_strp_sup | dw::DW_FORM_GNU_strp_alt => {
            cursor.uint(widths.offset).map(Value::SharedTextAt)
        }
        dw::DW_FORM_strx | dw::DW_FORM_GNU_str_index => cursor.uleb().map(Value::TextIndex),
        dw::DW_FORM_strx1 => cursor.uint(1).map(Value::TextIndex),
        dw::DW_FORM_strx2 => cursor.uint(2).map(Value::TextIndex),
        dw::DW_FORM_strx3 => cursor.uint(3).map(Value::TextIndex),
        dw::DW_FORM_strx4 => cursor.uint(4).map(Value::TextIndex),
        dw::DW_FORM_ref1 => cursor.uint(1).map(Value::Local),
        dw::DW_FORM_ref2 => cursor.uint(2).map(Value::Local),
        dw::DW_FORM_ref4 => cursor.uint(4).map(Value::Local),
        dw::DW_FORM_ref8 => cursor.uint(8).map(Value::Local),
        dw::DW_FORM_ref_udata => cursor.uleb().map(Value::Local),
        dw::DW_FORM_ref_addr => cursor.uint(widths.global_reference()).map(Value::Global),
        dw::DW_FORM_ref_sup4 => cursor.uint(4).map(Value::Shared),
        dw::DW_FORM_ref_sup8 => cursor.uint(8).map(Value::Shared),
        dw::DW_FORM_GNU_ref_alt => cursor.uint(widths.offset).map(Value::Shared),
        form => skip(cursor, skip_of(form, widths)?, widths).map(|()| Value::Other),
    }
}

/// Passes over one value, or several of fixed size.
#[inline]
pub(crate) fn skip(cursor: &mut Cursor<'_>, step: Skip, widths: Widths) -> Option<()> {
    match step {
        Skip::Bytes(count) => cursor.skip(count as usize),
        Skip::Leb => cursor.skip_leb(),
        Skip::Text => cursor.text().map(|_| ()),
        Skip::Block(width) => {
            let size = cursor.uint(width)?;
            cursor.skip(usize::try_from(size).ok()?)
        }
        Skip::BlockLeb => {
            let size = cursor.uleb()?;
            cursor.skip(usize::try_from(size).ok()?)
        }
        Skip::Indirect => {
            let form = DwForm(u16::try_from(cursor.uleb()?).ok()?);
            match skip_of(form, widths)? {
                Skip::Indirect => None,
                step => skip(cursor, step, widths),
            }
        }
    }
}
