//! Compiles `csrc/`. The crate `cc` finds the compiler for the target, or takes what CC and CFLAGS say.

#[rustfmt::skip]
const SOURCES: [&str; 5] = [
    "csrc/wrist.c",
    "csrc/wrist_network.c",
    "csrc/wrist_network_selftest.c",
    "csrc/wrist_selftest.c",
    "csrc/wrist_layout.c",
];

fn main() {
    println!("cargo:rerun-if-changed=csrc");
    let mut build = cc::Build::new();
    build.files(SOURCES).include("csrc").warnings(false);
    // A product and a sum are two roundings, as in the training's reference.
    build.flag_if_supported("-std=c99");
    build.flag_if_supported("-ffp-contract=off");
    // Kernels that are not optimized are many times slower, so that debug builds would miss samples.
    if matches!(std::env::var("OPT_LEVEL").as_deref(), Ok("0" | "1")) {
        build.opt_level(2);
    }
    build.compile("wrist_c");
}
