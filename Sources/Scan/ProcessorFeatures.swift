/// What release builds of scans ask of a processor (Package.swift): x86-64-v3, which has been made since 2013. Without
/// it they would end with an illegal instruction and no word of why.
public enum ProcessorFeatures {
    /// As Linux names them.
    private static let needed = ["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "popcnt", "sse4_2"]

    /// What is missing by the words of `/proc/cpuinfo`; nothing where they say nothing about features.
    public static func missing(cpuinfo: String) -> [String] {
        guard let line = cpuinfo.split(separator: "\n").first(where: { $0.hasPrefix("flags") }) else { return [] }
        let flags = Set(line.split { $0 == " " || $0 == "\t" || $0 == ":" })
        return needed.filter { !flags.contains(Substring($0)) }
    }
}
