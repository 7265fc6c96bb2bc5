//! The two type tables of the format: values of the metadata, and tensors.

/// The type of a metadata value (ggml, `include/gguf.h`, `gguf_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// 1 byte, unsigned.
    U8,
    /// 1 byte, signed.
    I8,
    /// 2 bytes, unsigned.
    U16,
    /// 2 bytes, signed.
    I16,
    /// 4 bytes, unsigned.
    U32,
    /// 4 bytes, signed.
    I32,
    /// 4 bytes, floating point.
    F32,
    /// 1 byte.
    Bool,
    /// 8 bytes of length, then that many.
    String,
    /// Element type, 8 bytes of count, then the elements.
    Array,
    /// 8 bytes, unsigned.
    U64,
    /// 8 bytes, signed.
    I64,
    /// 8 bytes, floating point.
    F64,
}

impl ValueType {
    /// The type with that number in the file; absent for one that the format does not have.
    #[must_use]
    pub fn from_id(id: u32) -> Option<Self> {
        Some(match id {
            0 => Self::U8,
            1 => Self::I8,
            2 => Self::U16,
            3 => Self::I16,
            4 => Self::U32,
            5 => Self::I32,
            6 => Self::F32,
            7 => Self::Bool,
            8 => Self::String,
            9 => Self::Array,
            10 => Self::U64,
            11 => Self::I64,
            12 => Self::F64,
            _ => return None,
        })
    }

    /// Bytes of one value; absent where they vary.
    #[must_use]
    pub fn size(self) -> Option<u64> {
        Some(match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
            Self::String | Self::Array => return None,
        })
    }

    /// What the format's documents call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::I8 => "i8",
            Self::U16 => "u16",
            Self::I16 => "i16",
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::F32 => "f32",
            Self::Bool => "bool",
            Self::String => "string",
            Self::Array => "array",
            Self::U64 => "u64",
            Self::I64 => "i64",
            Self::F64 => "f64",
        }
    }
}

/// How a tensor type packs its elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing {
    /// `Q4_K` and the like.
    pub name: &'static str,
    /// Elements of one block.
    pub block: u64,
    /// Bytes of one block.
    pub bytes: u64,
}

/// The tensor types of ggml 0.27.0, by their number: `ggml_blck_size` and `ggml_type_size` of the
/// compiled library. An empty name stands for a number whose type was removed before files had version 2,
/// or that no build loads. 31 to 33 and 36 are of builds 3365 to 4281 (`ggml/src/ggml.c` of b4281).
const TENSOR_TYPES: [(&str, u64, u64); 43] = [
    ("F32", 1, 4),
    ("F16", 1, 2),
    ("Q4_0", 32, 18),
    ("Q4_1", 32, 20),
    ("", 0, 0),
    ("", 0, 0),
    ("Q5_0", 32, 22),
    ("Q5_1", 32, 24),
    ("Q8_0", 32, 34),
    ("Q8_1", 32, 36),
    ("Q2_K", 256, 84),
    ("Q3_K", 256, 110),
    ("Q4_K", 256, 144),
    ("Q5_K", 256, 176),
    ("Q6_K", 256, 210),
    ("Q8_K", 256, 292),
    ("IQ2_XXS", 256, 66),
    ("IQ2_XS", 256, 74),
    ("IQ3_XXS", 256, 98),
    ("IQ1_S", 256, 50),
    ("IQ4_NL", 32, 18),
    ("IQ3_S", 256, 110),
    ("IQ2_S", 256, 82),
    ("IQ4_XS", 256, 136),
    ("I8", 1, 1),
    ("I16", 1, 2),
    ("I32", 1, 4),
    ("I64", 1, 8),
    ("F64", 1, 8),
    ("IQ1_M", 256, 56),
    ("BF16", 1, 2),
    ("Q4_0_4_4", 32, 18),
    ("Q4_0_4_8", 32, 18),
    ("Q4_0_8_8", 32, 18),
    ("TQ1_0", 256, 54),
    ("TQ2_0", 256, 66),
    ("IQ4_NL_4_4", 32, 18),
    ("", 0, 0),
    ("", 0, 0),
    ("MXFP4", 32, 17),
    ("NVFP4", 64, 36),
    ("Q1_0", 128, 18),
    ("Q2_0", 64, 18),
];

/// What is known about a tensor type's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TensorType {
    /// In use.
    Known(Packing),
    /// Taken out of ggml; no build of the tables loads it.
    Removed,
    /// Above everything that ggml 0.27.0 has.
    Newer,
}

/// The tensor type with that number.
#[must_use]
pub fn tensor_type(id: u32) -> TensorType {
    let entry = usize::try_from(id).ok().and_then(|index| TENSOR_TYPES.get(index));
    match entry {
        Some((_, 0, _)) => TensorType::Removed,
        Some(&(name, block, bytes)) => TensorType::Known(Packing { name, block, bytes }),
        None => TensorType::Newer,
    }
}

/// What a person calls that `general.file_type` (llama.cpp, `include/llama.h`, `llama_ftype`);
/// absent for a number that is not in use. 1024 is added to it when it was guessed.
#[must_use]
pub fn file_type_name(file_type: u64) -> Option<&'static str> {
    Some(match file_type % 1024 {
        0 => "F32",
        1 => "F16",
        2 => "Q4_0",
        3 => "Q4_1",
        7 => "Q8_0",
        8 => "Q5_0",
        9 => "Q5_1",
        10 => "Q2_K",
        11 => "Q3_K_S",
        12 => "Q3_K_M",
        13 => "Q3_K_L",
        14 => "Q4_K_S",
        15 => "Q4_K_M",
        16 => "Q5_K_S",
        17 => "Q5_K_M",
        18 => "Q6_K",
        19 => "IQ2_XXS",
        20 => "IQ2_XS",
        21 => "Q2_K_S",
        22 => "IQ3_XS",
        23 => "IQ3_XXS",
        24 => "IQ1_S",
        25 => "IQ4_NL",
        26 => "IQ3_S",
        27 => "IQ3_M",
        28 => "IQ2_S",
        29 => "IQ2_M",
        30 => "IQ4_XS",
        31 => "IQ1_M",
        32 => "BF16",
        36 => "TQ1_0",
        37 => "TQ2_0",
        38 => "MXFP4_MOE",
        39 => "NVFP4",
        40 => "Q1_0",
        41 => "Q2_0",
        _ => return None,
    })
}
