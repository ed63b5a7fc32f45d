import Foundation
import Scan

/// Says what is wrong where this build can't run, instead of an illegal instruction in the middle of a question.
enum Processor {
    static func check() {
        #if arch(x86_64) && os(Linux) && !DEBUG
            guard let cpuinfo = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) else { return }
            let missing = ProcessorFeatures.missing(cpuinfo: cpuinfo)
            guard !missing.isEmpty else { return }
            FileHandle.standardError.write(
                Data(
                    """
                    muster: this build needs a processor of 2013 or later (x86-64-v3); this one lacks \
                    \(missing.joined(separator: ", ")). Build it for this processor: take `processorSettings` out of \
                    Package.swift.\n
                    """.utf8))
            exit(EX_UNAVAILABLE)
        #endif
    }
}
