//! What an ELF file asks of the machine that it runs on: an interpreter, libraries (ELF-64 Object File Format 1.5, §5).

/// What a program needs besides the kernel. A static one needs neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needs {
    /// Its program header has a `PT_INTERP`: a dynamic linker is started first.
    pub(super) interpreter: bool,
    /// How many shared libraries its dynamic section names (`DT_NEEDED`).
    pub(super) libraries: usize,
}

const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;
const DT_NEEDED: u64 = 1;

impl Needs {
    /// Reads them off a 64-bit little-endian file; `None` where it is none, or is cut short.
    pub(super) fn read(file: &[u8]) -> Option<Needs> {
        // e_ident: magic, ELFCLASS64, ELFDATA2LSB.
        if file.get(..6)? != [0x7f, b'E', b'L', b'F', 2, 1] {
            return None;
        }
        let (headers, size, count) = (number(file, 0x20, 8)?, number(file, 0x36, 2)?, number(file, 0x38, 2)?);
        let mut needs = Needs { interpreter: false, libraries: 0 };
        for index in 0..count {
            let header = headers.checked_add(size.checked_mul(index)?)?;
            match number(file, header, 4)? {
                PT_INTERP => needs.interpreter = true,
                PT_DYNAMIC => {
                    let start = number(file, header.checked_add(8)?, 8)?;
                    let entries = number(file, header.checked_add(0x20)?, 8)? / 16;
                    for entry in 0..entries {
                        let at = start.checked_add(entry.checked_mul(16)?)?;
                        needs.libraries += usize::from(number(file, at, 8)? == DT_NEEDED);
                    }
                }
                _ => {}
            }
        }
        Some(needs)
    }

    pub(super) fn nothing(&self) -> bool {
        !self.interpreter && self.libraries == 0
    }
}

/// The little-endian number of `length` bytes, at most 8, at `at`.
fn number(file: &[u8], at: u64, length: usize) -> Option<u64> {
    let start = usize::try_from(at).ok()?;
    let bytes = file.get(start..start.checked_add(length)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(all(target_os = "linux", target_pointer_width = "64", target_endian = "little"))]
    fn this_test_is_a_dynamic_program() {
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let needs = Needs::read(&file).unwrap();
        assert!(needs.interpreter && needs.libraries > 0 && !needs.nothing(), "{needs:?}");
    }

    #[test]
    fn a_file_without_program_headers_needs_nothing() {
        let mut file = vec![0; 64];
        file[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1]);
        assert!(Needs::read(&file).unwrap().nothing());
    }

    #[test]
    fn what_is_no_elf_or_cut_short_cannot_be_read() {
        assert_eq!(Needs::read(b"#!/bin/sh\n"), None);
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(Needs::read(&file[..100]), None);
        // A table of headers that would begin past the end of all numbers.
        let mut far = vec![0; 64];
        far[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1]);
        far[0x20..0x28].fill(0xff);
        far[0x36..0x3a].fill(0xff);
        assert_eq!(Needs::read(&far), None);
    }
}
