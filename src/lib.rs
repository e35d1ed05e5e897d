#![doc = "skeleton"]
pub mod clock;
pub mod cloud;
pub mod huawei;
pub mod model;
pub mod pacing;
pub mod secret;
pub mod stats;
