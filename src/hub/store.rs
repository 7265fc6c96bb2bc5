//! Files on the disk: temporary names, verification, rename, owner.
