/// One kind of destination, as the console's form and the API's checks need it.
public struct DestinationKind: Sendable {
    public struct Field: Sendable, Hashable {
        public enum Control: Sendable, Hashable {
            case text
            /// Written, never read.
            case secret
            /// One of these, or an address of one's own.
            case choice([Option])
        }

        public struct Option: Sendable, Hashable {
            public var value: String
            public var label: String

            public init(value: String, label: String) {
                self.value = value
                self.label = label
            }
        }

        public var key: String
        public var label: String
        public var hint: String
        public var isRequired: Bool
        public var control: Control

        public init(key: String, label: String, hint: String, isRequired: Bool, control: Control) {
            self.key = key
            self.label = label
            self.hint = hint
            self.isRequired = isRequired
            self.control = control
        }
    }

    public var kind: String
    public var name: String
    public var fields: [Field]
    /// Which of the settings says where it sends.
    public var addressField: String
    public init(kind: String, name: String, fields: [Field], addressField: String) {
        self.kind = kind
        self.name = name
        self.fields = fields
        self.addressField = addressField
    }
}

extension DestinationKind {
    private static let brazeDataCentre = Field(
        key: "endpoint", label: "Data centre",
        hint: "Stands in the address of your Braze dashboard: dashboard-03.braze.com is US-03.",
        isRequired: true, control: .choice(brazeDataCentres))

    /// Braze: the data centre and a REST API key (the seed, step 1).
    public static let braze = DestinationKind(
        kind: "braze", name: "Braze",
        fields: [
            brazeDataCentre,
            Field(
                key: "api_key", label: "REST API key",
                hint: "In Braze: Settings → APIs and Identifiers. It needs the permission users.track.",
                isRequired: true, control: .secret),
            Field(
                key: "app_id", label: "App identifier",
                hint: "Is added to every event, for workspaces with several apps.",
                isRequired: false, control: .text),
            Field(
                key: "anonymous_alias_label", label: "Alias label for anonymous users",
                hint:
                    "Sends people who have only an anonymous id under a user alias with this label. Empty: they are not sent.",
                isRequired: false, control: .text),
            Field(
                key: "delete_users", label: "Delete people in Braze too",
                hint:
                    "true: whom a regulation deletes here (DELETE_ONLY, SUPPRESS_WITH_DELETE) is deleted there. The key needs users.delete.",
                isRequired: false, control: .text),
            Field(
                key: "requests_per_second", label: "Requests per second",
                hint: "At most so many, 1 to 1000. Empty: 100.", isRequired: false, control: .text),
            Field(
                key: "object_limit", label: "Objects per request",
                hint: "“combined” (75 in all) is within every contract; older ones allow “per_array”. Empty: combined.",
                isRequired: false, control: .text),
        ],
        addressField: "endpoint")

    /// Members of audiences as Braze cohorts, for those who have a partner key.
    public static let brazeCohorts = DestinationKind(
        kind: "braze_cohorts", name: "Braze Cohorts",
        fields: [
            brazeDataCentre,
            Field(
                key: "partner_api_key", label: "Partner key",
                hint: "Braze gives it to partners, one for the US and one for the EU.", isRequired: true,
                control: .secret),
            Field(
                key: "client_secret", label: "Data import key",
                hint: "In Braze: Partner Integrations → Technology Partners → Segment.", isRequired: true,
                control: .secret),
            Field(
                key: "anonymous_alias_label", label: "Alias label for anonymous users",
                hint: "As in the Braze destination. Empty: only people with a user id are members.",
                isRequired: false, control: .text),
        ],
        addressField: "endpoint")

    /// Signed webhooks to an address of one's own.
    public static let webhook = DestinationKind(
        kind: "webhook", name: "Webhook",
        fields: [
            Field(
                key: "url", label: "Address",
                hint: "Takes a POST with a batch of calls. https, or http on this machine.", isRequired: true,
                control: .text),
            Field(
                key: "secret", label: "Secret",
                hint: "Signs every request, so that the receiver knows it is yours. 16 characters or more.",
                isRequired: true, control: .secret),
            Field(
                key: "old_secret", label: "Secret before",
                hint: "While the receiver changes over: requests are signed with both. Empty it afterwards.",
                isRequired: false, control: .secret),
            Field(
                key: "batch_size", label: "Calls per request", hint: "1 to 500; 50 if empty.", isRequired: false,
                control: .text),
        ],
        addressField: "url")

    private static let brazeDataCentres: [Field.Option] = {
        let numbered: (String, ClosedRange<Int>, (String) -> String) -> [Field.Option] = { region, numbers, host in
            numbers.map { number in
                let digits = (number < 10 ? "0" : "") + String(number)
                return Field.Option(
                    value: "https://rest.\(host(digits))", label: "\(region)-\(digits) · rest.\(host(digits))")
            }
        }
        return numbered("US", 1...8) { "iad-\($0).braze.com" } + numbered("US", 9...10) { "us-\($0).braze.com" }
            + numbered("EU", 1...2) { "fra-\($0).braze.eu" } + numbered("AU", 1...1) { "au-\($0).braze.com" }
            + numbered("ID", 1...1) { "id-\($0).braze.com" } + numbered("JP", 1...1) { "jp-\($0).braze.com" }
            + numbered("KR", 1...1) { "kr-\($0).braze.com" }
    }()
}
