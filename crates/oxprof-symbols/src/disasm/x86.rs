//! x86 with 64 and 32 bits.

use iced_x86::{
    Decoder, DecoderOptions, FormatMnemonicOptions, Formatter, GasFormatter, IntelFormatter,
    MemorySizeOptions, OpKind,
};

use super::{Instruction, Names, Syntax, place};
use crate::Svma;

pub(super) fn disassemble(
    code: &[u8],
    start: Svma,
    bits: u32,
    syntax: Syntax,
    names: Names<'_>,
) -> Vec<Instruction> {
    let mut decoder = Decoder::with_ip(bits, code, start.0, DecoderOptions::NONE);
    let mut formatter = formatter(syntax);
    let mut out = Vec::new();
    while decoder.can_decode() {
        let decoded = decoder.decode();
        out.push(Instruction {
            address: Svma(decoded.ip()),
            len: decoded.len() as u8,
            text: text(&decoded, formatter.as_mut(), syntax, names),
            target: branch_target(&decoded),
        });
    }
    out
}

fn formatter(syntax: Syntax) -> Box<dyn Formatter> {
    let mut formatter: Box<dyn Formatter> = match syntax {
        Syntax::Att => Box::new(GasFormatter::new()),
        Syntax::Intel => Box::new(IntelFormatter::new()),
    };
    let options = formatter.options_mut();
    options.set_first_operand_char_index(7);
    options.set_always_show_scale(true);
    options.set_hex_prefix("0x");
    options.set_hex_suffix("");
    options.set_uppercase_hex(false);
    options.set_small_hex_numbers_in_decimal(false);
    options.set_branch_leading_zeros(false);
    options.set_displacement_leading_zeros(false);
    options.set_leading_zeros(false);
    options.set_rip_relative_addresses(true);
    options.set_signed_memory_displacements(true);
    options.set_space_after_operand_separator(false);
    options.set_show_branch_size(false);
    options.set_show_useless_prefixes(true);
    if syntax == Syntax::Intel {
        options.set_memory_size_options(MemorySizeOptions::Always);
        options.set_uppercase_keywords(true);
    }
    formatter
}

fn text(
    decoded: &iced_x86::Instruction,
    formatter: &mut dyn Formatter,
    syntax: Syntax,
    names: Names<'_>,
) -> String {
    let mut text = String::new();
    if decoded.is_invalid() {
        return "(bad)".to_owned();
    }
    if let Some(target) = branch_target(decoded) {
        formatter.format_mnemonic_options(decoded, &mut text, FormatMnemonicOptions::NONE);
        return format!("{text:<6} {}", place(target, names));
    }
    formatter.format(decoded, &mut text);
    if syntax == Syntax::Att {
        text =
            text.replace(",)", ")").replace("callq  *", "call   *").replace("jmpq   *", "jmp    *");
    }
    if decoded.is_ip_rel_memory_operand() {
        let address = Svma(decoded.ip_rel_memory_address());
        text.push_str("        # ");
        text.push_str(&place(address, names));
    }
    text
}

fn branch_target(decoded: &iced_x86::Instruction) -> Option<Svma> {
    let is_near = matches!(
        decoded.op0_kind(),
        OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64
    );
    is_near.then(|| Svma(decoded.near_branch_target()))
}
