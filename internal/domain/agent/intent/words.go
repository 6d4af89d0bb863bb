package intent

// Words are matched folded: in lower case and without diacritics. A word that ends with an
// asterisk matches all words that begin with it.

var (
	// peopleNouns name a person who works for the company; someNouns name anyone.
	peopleNouns = list("human* operator* representative* consultant* advisor* adviser* czlowiek* konsultant* operator* pracownik* doradc*")
	someNouns   = list("person someone somebod* anybod* agent staff employee manager support supervisor colleague osob* ktos kims obslug* kierownik* biur*")
	machines    = list("bot bots robot* machine* ai botem automat* maszyn* sztuczn*")
	// contactVerbs ask for a conversation, wishes for anything.
	contactVerbs = list("talk speak chat connect transfer contact call reach put rozmaw* porozmaw* pogada* polacz* przelacz* skontakt* kontakt*")
	wishes       = list("want need get give like please prefer chc* potrzeb* prosz* poprosz* wol* moge mog* daj* dajcie")
	negations    = list("not don't dont no never nie bez")
	// shortPeople ask for a person as a message of their own.
	shortPeople = list("agent operator human person representative support konsultant człowiek czlowiek pracownik")

	greetings = list("hi hello hey hiya greetings good morning afternoon evening czesc hej siema witam witaj dzien dobry wieczor there all everyone panstwu panstwa")
	thanks    = list("thank* thx cheers dziek* dziekuj* podziekow*")
	farewells = list("bye goodbye cya widzenia nara pa zegnam")
	affirming = list("yes yeah yep sure ok okay please definitely absolutely tak jasne pewnie poprosz* prosze oczywiscie dobrze chetnie")
	refusing  = list("no nope nah not nie")

	// interests say that someone may become a customer.
	interests = list("buy buying purchas* order* quote* quotation* offer demo trial subscri* book booking rent renting hire appointment wholesale reserv* " +
		"kupi* kupn* zakup* zamow* zamaw* ofert* wycen* prezentacj* umow* hurt* rezerw* zarezerw* wypozycz* wynaj* abonament*")

	positive = list("great good thank* perfect excellent awesome love* lovely nice helpful amazing wonderful happy super swietn* wspanial* dziek* doskonal* fajn* polec* zadowol* pomocn* milo")
	negative = list("bad terrible awful horrible worst angry annoy* useless broken disappoint* complain* unacceptable ridiculous hate* scam rude poor never " +
		"okropn* fataln* beznadziej* zly zle zla najgorsz* zepsut* rozczarow* skarg* skarz* reklamacj* oszust* niezadowol* tragedi* skandal*")

	// fillers say nothing about what a question is about.
	fillers = list("a an the can could would will shall should may might must do does did have has had get gets getting got give take need want like know tell find look looking " +
		"please kindly help info information question questions ask answer let say see show make made way thing things something anything " +
		"much many long often sort kind any some also just still really actually possible currently available exactly there here " +
		"your you yours our ours my mine me we us i i'd i'm i've it's what's how's company shop store service business regarding about sure wondering wonder happen happens happened mean means meant " +
		"name email mail phone number telephone address call called contact reach hours o'clock via using use used " +
		"day days week weeks month months year years dzien dni tydzien tygodni tygodnie tygodniach miesiac miesiace miesiecy miesiacach rok lata lat roku " +
		"yes no ok okay thanks thank hi hello hey good morning afternoon evening bye " +
		"prosze poprosze chce chcialbym chcialabym chcialem chcialam moge mozna mozesz moglbym moglabym czy jak jaki jaka jakie jakich jakim gdzie kiedy dlaczego ile jest sa byc bylo bedzie mam masz macie maja miec " +
		"potrzebuje powiedz powiedziec pytanie pytania zapytac dowiedziec wiedziec wiem informacja informacje informacji pomoc pomozcie pomocy cos rzecz panstwo panstwa panstwu pan pani wasz wasza wasze waszej u mnie nas wam was moj moja moje sklep sklepu sklepie firma firmy firmie " +
		"imie nazwisko telefon telefonu numer maila dzien dobry czesc hej witam tak nie dziekuje sie to ten ta te tego tej tym na do z ze w we o od po za przy dla i a ale oraz lub ktory ktora ktore mi dzieje dzieja stanie dostac dostane")

	// polishWords tell Polish from English in texts that are too short to detect.
	polishWords = list("czy jak jest nie tak prosze dziekuje dziekuj* dzien dobry czesc hej witam chce chcialbym chcialabym moge mozna gdzie kiedy ile jaki jaka jakie mam macie panstwo sie nazywam imie moj moja jestem potrzebuje wszystko widzenia zamowi* rozmaw* porozmaw* konsultant* czlowiek* polacz*")
)

// synonyms are words that mean the same in what customers ask. The first of each group stands
// for the others.
var synonyms = groups(
	"ship shipping shipment deliver delivers delivered delivery deliveries courier",
	"return returns returned returning refund refunds refunded",
	"price prices pricing cost costs fee fees charge charges expensive rate rates",
	"pay payment payments paying card cards",
	"open opening opens closed hours",
	"guarantee warranty guaranteed",
	"discount discounts promotion promo coupon rebate",
	"exchange exchanges swap replace replacement",
	"located location where office premises",
	"weigh weighs weight heavy",
	"wysylka wysylki wysylke wysylacie wysylac dostawa dostawy dostawe dostarczacie przesylka przesylki kurier kurierem",
	"zwrot zwroty zwrotu zwrocic zwracac oddac odeslac",
	"cena ceny cene cennik koszt koszty kosztuje kosztuja oplata oplaty",
	"platnosc platnosci placic zaplacic zaplata karta karty",
	"otwarte otwarty otwarcia czynne czynny godziny godzinach",
	"gwarancja gwarancji gwarancje rekojmia",
	"rabat rabaty rabatu znizka znizki zniżkę promocja promocje",
	"wymiana wymiany wymienic wymieniac",
)
