import Scan
import Testing

@Suite struct ProcessorFeaturesTests {
    @Test func `An old processor is known by its flags`() {
        let old = "processor\t: 0\nflags\t\t: fpu sse2 ssse3 sse4_2 popcnt avx\nbugs\t: none\n"
        #expect(ProcessorFeatures.missing(cpuinfo: old) == ["avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"])
    }

    @Test func `A processor since 2013 lacks nothing, and one that says nothing is tried`() {
        let new = "flags\t\t: sse4_2 popcnt avx avx2 bmi1 bmi2 f16c fma abm movbe avx512f\n"
        #expect(ProcessorFeatures.missing(cpuinfo: new).isEmpty)
        #expect(ProcessorFeatures.missing(cpuinfo: "Features : fp asimd").isEmpty)
        #expect(ProcessorFeatures.missing(cpuinfo: "").isEmpty)
    }
}
