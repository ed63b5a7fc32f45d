import ArgumentParser

/// The command: everything that Muster does is one of its subcommands.
@main
struct Muster: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "muster",
        abstract: "An open-source, self-hosted audience engine.",
        discussion: """
            Collects customer events from Segment SDKs, resolves identities, computes traits and audiences in real \
            time, and keeps Braze in agreement.
            """,
        version: Version.current,
        subcommands: [
            ServeCommand.self, DemoCommand.self, SandboxCommand.self, ReconcileCommand.self, RetentionCommand.self,
            BenchCommand.self,
        ])

    static func main() async {
        Processor.check()
        await main(nil)
    }
}

/// The version that the program says it is.
enum Version {
    static let current = "0.1.0"
}
