"""Function words of every language that Snowball stems, written for this project.

Before the bar stand the stop words: articles, pronouns, prepositions, conjunctions, auxiliaries. Behind it
stand words that only `ragembed.analysis.detect` uses: they tell the language but stay in the index, because
they carry meaning (negations) or are often something else (French *car*, English *US*).
The length of the English list and its lack of negations were chosen by nDCG@10 on CISI and MED.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

_WORDS = {
    "arabic": """في من إلى على عن مع بين حتى منذ خلال عند لدى حول نحو ضد بعد قبل تحت فوق أمام وراء و أو أم ثم
لكن بل إن أن كان كانت كانوا يكون تكون كنت هو هي هم هن هما نحن أنا أنت أنتم هذا هذه هؤلاء ذلك تلك هناك هنا الذي
التي الذين اللذان اللاتي ماذا متى أين كيف لماذا كم أي إذا لو إذ حيث عندما بينما كما مثل لأن لأنه لكي كي قد لقد
سوف كل بعض جميع أيضا أيضًا فقط جدا جدًا كذلك أكثر أقل إنه إنها أنه أنها أنهم له لها لهم لنا لي لك به بها بهم
فيه فيها فيهم منه منها منهم عليه عليها عليهم إليه إليها عنه عنها معه معها وقد وكان وكانت وهو وهي ومن وفي وعلى
أما إما تم يتم يمكن يجب نفس نفسه عدة
| لا لم لن ليس ليست غير دون بدون ولا ما أخرى آخر""",
    "armenian": """և եւ ու կամ բայց իսկ որ եթե քանի որպես ինչպես երբ որտեղ ինչու քանզի ես դու նա մենք դուք
նրանք իմ քո նրա մեր ձեր նրանց իր իրենց ինձ քեզ նրան մեզ ձեզ այս այդ այն սա դա այստեղ այնտեղ որը որի որոնք
որոնց որին ով ում ինչ է են եմ եք ենք էր էին էի լինել լինում լինի եղել եղավ կա կան ունի ունեն ուներ պետք մեջ
վրա տակ մոտ հետ համար մասին միջև առաջ հետո մինչև ըստ դեպի կողմից ի մի բոլոր ամեն շատ ավելի նաև միայն արդեն դեռ
այլ նույն ինքը հենց էլ պիտի կ թե
| չի չեն չէ ոչ չէր առանց ոչինչ երբեք""",
    "basque": """eta edo baina bai baita ala baino bezala beraz izan da dira zen ziren naiz zara gara zarete
du dute zuen zuten dut duzu dugu duzue ditu dituzte zituen zituzten dio die zion zaio zaie dago daude zegoen
zeuden dena den diren zena dela direla zela duen duten zuela dituen ni zu gu hura hau hori haiek hauek horiek
honek horrek hark honen horren haren hauen horien haien honetan horretan hartan bere beren nire zure gure zein
zer nor non noiz nola zergatik bat batek baten batean batzuk batzuek guzti guztiak guztien beste bestea asko
gehiago oso hain gero orain hemen hor han izango egin egiten egon arte ondoren artean bidez buruz arabera
bitartean arren behar ahal baldin bada badira ere
| ez gabe inor ezer inoiz ezta zuek ziur""",
    "catalan": """el la els les un una uns unes de del dels al als a en amb per pel pels sobre entre fins des
contra durant segons sota i o però sinó que si com quan on perquè mentre doncs jo tu ell ella nosaltres
vosaltres ells elles vostè em et es ens us ho hi li me te se ne meu meva teu teva seu seva seus seves nostre
nostra aquest aquesta això aquests aquestes aquell aquella allò aquells aquelles qui què qual quals ser soc
sóc ets és som són era eren fou foren estat sent sigui siguin serà seran seria està estan estava haver he has
ha hem heu han havia havien hagi té tenen molt molta molts més menys també ja tan tot tota tots totes altre
altra altres mateix mateixa cada així abans després aquí allà pot poden va vaig van vam
| no ni mai res ningú sense tampoc cap només""",
    "czech": """a i k ke o s se u v ve z ze aby ale anebo nebo ani až jestli jestliže pokud protože přestože
když že jak jako než tak také též již už jen jenom ještě tedy totiž proto však zda co čem čemu čím kdo koho
komu kde kam kdy proč který která které kteří kterou kterého kterém kterým kterých já ty on ona ono my vy oni
mě mně mi mnou tě ti tobě jeho jej jemu mu jím její jí ji nám nás námi vám vás vámi jim jich jimi jejich sebe
sobě si svůj své svou svého svých svým můj moje moji tvůj náš naše váš vaše ten ta to tu toho tomu tom tím té
těch těm tento tato toto této tyto těchto tomto takový taková být je jsem jsi jsme jste jsou byl byla bylo
byli byly bude budou budeme bych bychom by do na nad od ode po pod pro při před přes mezi za podle během kromě
kolem vedle kvůli proti má mají měl může mohou musí lze každý všechny všech vše
| ne není nejsou nebyl nebyla nebude nemá nikdy nic nikdo bez žádný velmi více jiný tady""",
    "danish": """en et den det de dem og eller men for at som om når da der her jeg du han hun vi i mig dig
ham hende os jer sig min mit mine din dit dine sin sit sine hans hendes dens dets deres vores jeres denne
dette disse hvilken hvilket hvilke hvad hvem hvor hvorfor hvordan hvornår på af til fra med hos ved under over
mellem gennem mod efter før siden inden er var være været bliver blive blev blevet har havde have haft kan
kunne skal skulle vil ville må måtte bør får fik så også bare kun meget mere mest mange alle alt anden andet
andre nogen noget nogle samme sådan nu end fordi mens ad ind op ud
| ikke ingen intet aldrig uden dog hele""",
    "dutch": """de het een en of maar want dus dat die dit deze daar hier er ik jij je u hij zij ze wij we
jullie hen hun haar hem mij me mijn jouw uw zijn ons onze zich elkaar wie wat welke waar wanneer hoe waarom
als dan toen omdat terwijl hoewel indien zodat in op aan van voor met bij naar uit over onder door tegen
tussen tot om te ten ter na sinds tijdens binnen is ben bent was waren wordt worden werd werden geworden
geweest heb hebt heeft hebben had hadden gehad kan kunnen kon konden zal zullen zou zouden moet moeten moest
mag mogen wil willen ook nog al wel zo zeer meer meest ander andere elk elke alle alles iets iemand hierbij
daarbij daarom waarin waarop ervan eens
| niet geen nooit niets niemand zonder noch heel veel""",
    "english": """a an and are as at be been but by for from had has have he her his if in into is it its of
on or that the their then there these they this those to was were which will with about above after again all
also am among any because before being below between both could did do does doing down during each either else
few further here hers herself him himself how however i itself just may me might more most much must my myself
off once only onto other our ours ourselves out over own per rather same shall she should since so some such
than theirs them themselves though through thus too under until up upon very we what when where whether while
who whom whose why within would yet you your yours yourself ll ve
| not no nor none never neither without cannot us don doesn isn aren didn wasn won couldn wouldn shouldn can
re""",
    "esperanto": """la kaj aŭ sed ĉar ke se kvankam ĉu do por de da al el en sur sub super inter ĉe kun per
pri pro post antaŭ dum ĝis tra trans kontraŭ laŭ krom ekster apud ĉirkaŭ preter je mi vi li ŝi ĝi ni ili oni
si min vin lin ŝin ĝin nin ilin sin mia via lia ŝia ĝia nia ilia sia miaj siaj iliaj lian sian tiu tiuj tiun
tiujn ĉi tio tion tie tiam tiel kiu kiuj kiun kiujn kio kion kie kiam kiel kial kia kiaj ĉiu ĉiuj ĉio iu iuj
io ia estas estis estos esti estus estu havas havis povas povis devas ankaŭ ankoraŭ jam nur tre pli plej tro
ol kvazaŭ mem ja eĉ tamen
| ne nek neniu nenio neniam sen nenie alia aliaj unu""",
    "estonian": """ja või ning aga kuid vaid et kui sest kuna nagu kuigi siis ka veel juba ainult nii ma mina
sa sina ta tema me meie te teie nad nemad mind sind teda meid teid neid minu sinu nende mulle sulle talle
meile neile oma ise enda see selle seda sellest selles sellele sellega need neist nendes too tolle kes kelle
keda mis mille mida milles millest millele millega kus kuhu kust millal miks kuidas on oli olid olla olnud
olen oled oleme olete oleks olema saab saavad sai saanud võib võivad tuleb peab pidi väga palju rohkem kõik
kõige kõigi kõiki teine teised muu iga mõni mõned sama ühe peale pärast enne läbi üle alla juures koos vahel
kohta järgi vastu kuni eest taga seal siin nüüd
| ei pole ega mitte ilma üks""",
    "finnish": """ja tai mutta sekä että jos kun koska vaikka kuin niin myös vain vielä jo nyt sitten siis
minä sinä hän me te he minun sinun hänen meidän teidän heidän minua sinua häntä minulle hänelle heille heitä
se sen sitä siinä siitä siihen sillä sille ne niiden niitä niissä niistä niihin tämä tämän tätä tässä tästä
tähän tällä nämä näiden näitä näissä tuo tuon nuo joka jonka jota jossa josta johon jolla jotka joiden joita
joissa joista mikä minkä mitä missä mistä mihin kuka kenen ketä on oli ovat olivat olla ollut olleet olen olet
olemme olette olisi olisivat voi voivat voidaan pitää täytyy tulee kaikki kaikkien kaikkia muu muut muita
muiden jokin jokainen sama ennen jälkeen kanssa mukaan joko eli taas hyvin
| ei en et emme ette eivät eikä ilman älä ole paljon""",
    "french": """le la les un une des du de au aux et ou mais donc que qui quoi dont où ce cet cette ces celui
celle ceux celles ça cela ceci je tu il elle on nous vous ils elles me te se lui leur leurs mon ma mes ton ta
tes son sa ses notre nos votre vos moi toi soi eux y en à dans par pour sur sous avec chez vers entre depuis
pendant avant après contre selon si comme quand lorsque puisque parce afin ainsi alors aussi très plus moins
tout tous toute toutes même mêmes autre autres être suis es est sommes êtes sont était étaient étant sera
seront serait soit avoir ai as a avons avez ont avait avaient eu aura auront aurait ayant faire fait peut
peuvent doit doivent qu jusqu lorsqu puisqu quoiqu ne quel quelle quels quelles
| pas sans jamais rien aucun aucune ni non car or été""",
    "german": """der die das den dem des ein eine einen einem einer eines und oder aber denn doch sondern wenn
weil dass daß ob als wie so ich du er sie es wir ihr mich dich sich uns euch mir dir ihm ihn ihnen ihre ihrer
ihrem ihren ihres sein seine seiner seinem seinen seines mein meine meiner meinem meinen dein deine unser
unsere unserer dieser diese dieses diesem diesen jener jene jenes jeder jede jedes welcher welche welches
welchem welchen man bin bist ist sind seid war waren wäre wären gewesen werden wird wurde wurden worden würde
würden habe hast hat haben hatte hatten hätte kann können könnte konnte muss müssen musste soll sollen sollte
will wollen wollte darf dürfen mag in im an am auf aus bei beim bis durch für gegen mit nach über um unter von
vom vor zu zum zur zwischen während wegen seit auch nur noch schon sehr hier da dort dann nun also zwar
bereits damit dazu dabei davon darauf daran wo wer was wann warum hinter neben
| nicht kein keine keinen keinem keiner nichts nie niemals ohne weder""",
    "greek": """ο η το οι τα του της των τον την τους τις τη στο στη στον στην στα στις στους ένας μια μία ένα
ενός μιας και ή αλλά όμως αν εάν ότι πως που πού όταν όπου επειδή γιατί διότι ενώ ώστε καθώς λοιπόν δηλαδή να
θα ας για με σε από προς κατά μετά πριν μέσα πάνω κάτω μεταξύ παρά αντί μέχρι έως ως σαν όπως υπό περί εγώ εσύ
αυτός αυτή αυτό αυτοί αυτές αυτά αυτού αυτής αυτών αυτόν αυτήν εμείς εσείς μου σου μας σας εμένα εσένα εκείνος
εκείνη εκείνο εκείνοι εκείνα τούτο οποίος οποία οποίο οποίοι οποίες οποίων οποίου ποιος ποια ποιο τι κάθε
κάποιος κάποια κάποιο κάτι όλος όλη όλο όλοι όλα όλες άλλος άλλη άλλο άλλα άλλες ίδιος ίδια ίδιο είναι ήταν
είμαι είσαι είμαστε είστε ήμουν έχω έχει έχουν έχουμε είχε είχαν πρέπει μπορεί μπορούν πολύ πιο ακόμη ακόμα
επίσης μόνο ήδη τώρα τότε εδώ εκεί έτσι τόσο όσο
| δεν δε μη μην ούτε χωρίς ποτέ τίποτα κανείς καμία κανένας όχι""",
    "hindi": """का की के को से में पर ने तक और या एवं तथा लेकिन परंतु किंतु मगर कि अगर यदि तो क्योंकि इसलिए
ताकि जब तब जहाँ वहाँ यहाँ कहाँ कब कैसे क्यों क्या कौन किस किसी किसने कुछ कई सब सभी हर जो जिस जिसे जिसका जिसकी
जिसके जिन जिनका मैं तू तुम आप हम वह वे यह ये मुझे तुम्हें हमें उसे उन्हें इसे इन्हें मेरा मेरी मेरे हमारा
हमारी हमारे आपका आपकी आपके उसका उसकी उसके उनका उनकी उनके इसका इसकी इसके इनका इनके अपना अपनी अपने इस उस इन उन
है हैं था थी थे हूँ हो होता होती होते होना होने हुआ हुई हुए होगा होगी रहा रही रहे गया गई गए जा जाता जाती जाते
कर करता करते करती करना करने किया किए सकता सकते सकती चाहिए द्वारा साथ लिए बाद पहले बीच भी ही बहुत अधिक एक वाला
वाले वाली ऐसा ऐसे ऐसी फिर अब
| नहीं न मत बिना ऊपर नीचे""",
    "hungarian": """a az egy és vagy de hogy ha mert mint is csak már még én te ő mi ti ők engem téged őt
minket titeket őket nekem neked neki nekünk nekik velem vele velük ez ezt ezek ezen ebben erre ennek azt azok
azon abban arra annak aki akik akit ami amely amelyek amelynek amit amelyet ahol amikor amíg ki mit hol mikor
miért hogyan volt voltak van vannak lesz lesznek lett lettek lenne lehet lenni legyen fog kell által után
alatt előtt között felé fölött mellett miatt szerint végett ellen iránt óta belül kívül úgy így ilyen olyan
akkor most itt ott nagyon több minden mindig más volna pedig azonban illetve valamint tehát ezért azért majd
el meg be fel le
| nem ne sem sincs nincs nincsenek semmi senki soha nélkül másik egyik""",
    "indonesian": """dan atau tetapi tapi serta yang di ke dari pada kepada dalam dengan untuk bagi oleh
tentang antara sampai hingga sejak selama terhadap karena sebab jika bila kalau apabila ketika saat agar
supaya bahwa maka sehingga meskipun walaupun ini itu tersebut saya aku kamu anda engkau dia ia beliau kami
kita mereka nya ku mu apa siapa mana kapan mengapa bagaimana berapa adalah ialah merupakan ada akan telah
sudah sedang masih pernah dapat bisa harus boleh juga pun hanya saja lagi lebih sangat paling sekali semua
setiap para sebuah seorang suatu beberapa banyak lain lainnya sama seperti sebagai secara yaitu yakni sini
sana situ begitu demikian lalu kemudian namun sambil setelah sebelum
| tidak bukan tanpa belum jangan tak""",
    "irish": """an na a agus ach go gur má mura dá nuair mar cé cad conas cathain cá i in sa san sna le leis
ar as ag chuig chun ó ón de den do don faoi fé roimh thar trí tríd idir um sé sí siad mé tú muid sinn sibh é í
iad mo bhur seo sin siúd is ba tá táim bhfuil raibh bhí beidh bheith bhíonn bíonn orm ort air uirthi orainn
orthu agam agat aige aici againn agaibh acu dom duit dó di dúinn dóibh liom leat léi linn leo uaim uaidh uathu
féin eile gach uile aon ansin anseo ann freisin chomh ró níos atá arna féidir nó
| ní níor níl nach nár gan cha chan""",
    "italian": """il lo la i gli le un uno una di a da in con su per tra fra del dello della dei degli delle
dell al allo alla ai agli alle all dal dallo dalla dai dagli dalle dall nel nello nella nei negli nelle nell
sul sullo sulla sui sugli sulle sull col e ed o od ma però anche se che chi cui come quando dove perché mentre
quindi poi io tu lui lei noi voi loro egli essa esso essi esse mi ti si ci vi ne me te sé mio mia miei mie tuo
tua tuoi tue suo sua suoi sue nostro nostra nostri nostre vostro vostra questo questa questi queste quest
quello quella quelli quelle quel quei quell quale quali essere sono sei è siamo siete era erano fu furono
stato stata stati state sia siano sarà saranno sarebbe essendo avere ho hai ha abbiamo avete hanno aveva
avevano avuto avrà abbia più meno molto molti già così ancora tutto tutta tutti tutte altro altra altri altre
stesso stessa ogni dopo prima sotto sopra può possono deve devono
| non né senza mai nulla niente nessuno nessuna""",
    "lithuanian": """ir o bet ar arba kad jog jei jeigu nes tačiau kaip kai kol kur kada kodėl kas ką ko kam
kuo kuris kuri kurie kurios kurių kuriuos kurį kuriame aš tu jis ji mes jūs jie jos mane tave jį ją mus jus
juos man tau jam jai mums jums jiems jų jo savo mano tavo mūsų jūsų save šis ši šie šios šio šį šią šių šiuos
tas ta tai tie tos to tą tų tuo toks tokia tokie į iš su per prie po prieš apie nuo iki už ant tarp dėl pagal
pas virš yra buvo būti būtų bus buvau esu esi esame esate esant buvęs būna gali galima turi turėjo reikia taip
pat dar jau tik labai daugiau visi visas visa visos visų kiekvienas vėl čia ten dabar tada todėl nors net juk
tiek pats pati patys
| ne nėra nebuvo niekas nieko niekada be nei negali kartu kitas kita kiti""",
    "nepali": """र वा तर पनि कि भने यदि किनभने त नै मा को का की ले लाई बाट देखि सम्म सँग द्वारा लागि बारे बीच
माथि तल पछि अघि म तिमी तपाईं ऊ उनी उनको हामी हाम्रो मेरो तिम्रो तपाईंको उनीहरू यो यस त्यो त्यस यी ती यसको
त्यसको यसले आफ्नो आफू के कुन कसरी किन कहाँ कहिले कति जो जुन जस जसले छ छन् छु छौं थियो थिए थिइन् हो हुन् हुन्छ
हुने भयो भएको भएका गर्न गर्ने गरेको गरेका गर्छ गर्नु गरी गरे हरू एक एउटा धेरै सबै केही अन्य अरू यहाँ त्यहाँ अब
अहिले तब जब मात्र फेरि रूपमा अनुसार
| छैन छैनन् होइन न बिना""",
    "norwegian": """en et ei den det de dem og eller men for å at som om når da der her jeg du han hun vi dere
meg deg ham henne oss seg min mitt mine mi din ditt dine sin sitt sine hans hennes dens dets deres vår vårt
våre denne dette disse hvilken hvilket hvilke hva hvem hvor hvorfor hvordan på av til fra med hos ved under
over mellom gjennom mot etter før siden innen er var være vært blir bli ble blitt har hadde ha hatt kan kunne
skal skulle vil ville må måtte bør får fikk så også bare kun mye mer mest mange alle alt annen annet andre
noen noe samme slik nå enn fordi mens inn opp ut eg ein eit dei frå vere vore vart kva kven korleis berre meir
me dykk hjå
| ikke ikkje ingen intet aldri uten hele""",
    "persian": """و در به از که این آن را با برای تا بر هم نیز یا اما ولی اگر چون زیرا پس بلکه چه چرا چگونه
کجا کی کدام هر همه بین میان روی زیر بالای پیش بعد قبل درباره طی توسط من تو او ما شما آنها ایشان آنان خود خویش
وی اینها همین همان چنین چنان است بود هست هستند بودند باشد باشند شد شده شدند شود می خواهد خواهند کرد کرده کردند
کند کنند دارد دارند داشت داشته داشتند دهد باید شاید توان تواند بسیار خیلی دیگر یک یکی چند بیش بیشتر کمتر
همچنین فقط هنوز اکنون وقتی هنگام سپس آیا ها های ای ام ات اش اند ترین تر
| نه نمی نیست نیستند هیچ بدون نبود""",
    "polish": """i a w z o u na do od ze we za po przez przy dla pod nad między przed oraz lub albo ale lecz
że żeby aby jeśli jeżeli gdy kiedy gdzie jak jako bo ponieważ więc czy niż ja ty on ona ono my wy oni one mnie
mi mną ciebie ci tobie go jego jemu mu niego nim jej ją nią niej nas nam nami was wam ich im nich nimi się
siebie sobie swój swoje swojej swoich mój moja moje twój nasz nasza nasze wasz ten ta to tego tej temu tym
tych tymi te tę tą tamten taki taka takie który która które którego której którym których którzy którą co kto
czego czym kogo komu jest są być był była było były będzie będą byli jestem jesteś jesteśmy został została
zostały zostało ma mają mieć miał może mogą można także też również tylko już jeszcze bardzo bardziej więcej
tak tu tam teraz wtedy tutaj każdy każda wszystko wszystkie wszystkich sam sama
| nie nic nigdy nikt bez ani żaden żadna inny inne innych""",
    "portuguese": """o a os as um uma uns umas de do da dos das em no na nos nas num numa ao aos à às por pelo
pela pelos pelas para pra com sobre entre até desde sob após contra durante e ou mas porém que se como quando
onde porque pois embora enquanto eu tu ele ela nós vós eles elas você vocês me te lhe lhes meu minha meus
minhas teu tua seu sua seus suas nosso nossa nossos nossas este esta isto estes estas esse essa isso esses
essas aquele aquela aquilo aqueles aquelas deste desta neste nesta desse dessa nesse nessa quem qual quais
cujo cuja ser sou és é somos são era eram foi foram sido sendo seja sejam será serão seria estar está estão
estava estavam ter tem têm tinha tinham teve havia há haver muito muita mais menos também já ainda assim só
todo toda todos todas outro outra outros outras mesmo mesma cada pode podem deve devem
| não nem nunca nada ninguém sem nenhum nenhuma""",
    "romanian": """un o unui unei unor niște cel cea cei cele al a ai ale lui și sau ori dar iar însă că să
dacă deoarece pentru fiindcă deși când unde cum cât ce care cine căruia căreia cărora eu tu el ea noi voi ei
ele mă te îl ne vă îi le se își îmi îți lor nouă vouă meu mea mei mele tău ta său sa săi sale nostru noastră
noștri noastre acest această acești aceste acestui acestei acestor acesta aceasta aceștia acestea acel acea
acei acele aceluia acelor de la în din pe cu prin spre sub peste între după până înainte către despre dintre
ca mai foarte tot toată toți toate alt altă alți alte același fi sunt ești este suntem sunteți era erau fost
fiind fie va vor ar aș am au avea are avem aveți avut poate pot trebuie doar numai încă deja astfel așa aici
acolo atunci apoi
| nu nici fără nimic nimeni niciodată niciun nicio""",
    "russian": """и в во на с со к ко о об от до из за по у при над под про для через между перед после около
против среди вместо кроме а но или да же ли бы что чтобы как если когда где куда откуда почему зачем потому
поэтому хотя пока так тоже также ещё уже только даже лишь я ты он она оно мы вы они меня мне мной тебя тебе
его него ему нему им ним её неё ей ней нас нам нами вас вам вами их них ими ними себя себе собой свой своя
своё свои своего своей своих своим мой моя моё мои твой наш наша наше наши ваш этот эта это эти этого этой
этому этом этим этих эту тот та то те того той тому том тем тех ту такой такая такое такие который которая
которое которые которого которой котором которым которых которую кто кого кому кем чего чему чем чём весь вся
всё все всего всех всем всей сам сама само сами самый быть был была было были будет будут есть может могут
можно нужно надо очень более менее там тут здесь теперь тогда вот ведь каждый
| не ни нет нельзя никогда ничего никто без потом другой другая другие""",
    "serbian": """и или али а па те да ако јер што као кад када где како зашто док ја ти он она оно ми ви они
оне ме мене мени тебе теби га њега му њему је њу јој њој нас нам вас вам их њих им њима се себе себи свој
своје своју своја свог мој моја моје твој наш наша наше њихов његов његова њен тај та то тог том оних овај ова
ово ове овог овом ових онај који која које којег којој којим којих коју ко чији шта кога у на од до из са с к
ка за по при под над пред између код преко кроз око после пре против према ради сам си смо сте су јесте био
била било били биле бити буде буду бих би бисмо биће ће ћу ћеш ћемо ћете има имају имао може могу треба такође
само већ још врло веома више све сви сва свих сваки један једна једно тако ту овде тамо сада онда иначе ипак
него дакле односно
| не ни није нису ништа никад нико без други друга друго""",
    "sesotho": """ke ka le ho ya ea ba o a e se bo ha hore mme empa kapa kgotsa hape joalo jwalo joang jwang
eo seo tse tsa tsena tseo sena sa la lena leo wa oa bana bao bona yona eona tsona rona lona nna wena ene yena
hae hao haka kena mona moo teng kae neng mang eng hobane ebile hona ile tla tlile ne ntse pele morao hodimo
holimo tlasa tlase hara kahare pakeng bohle tsohle yohle kaofela feela haholo haholoholo leha haeba na bang
mong jwale joale ntho
| tjhe che haho ngwe nngwe""",
    "spanish": """el la los las un una unos unas lo al del de a en con por para sobre entre hasta desde hacia
según contra durante tras y e o u pero sino que si como cuando donde aunque porque pues mientras yo tú él ella
ello nosotros vosotros ellos ellas usted ustedes me te se nos le les mi mis tu tus su sus mí ti sí nuestro
nuestra nuestros nuestras suyo suya este esta esto estos estas ese esa eso esos esas aquel aquella aquellos
aquellas quien quienes cual cuales cuyo cuya qué cuál quién cómo cuándo dónde ser soy eres es somos son era
eran fue fueron sido siendo sea sean será serán sería estar está están estaba estaban estoy haber he ha han
había habían hay hemos haya muy más menos también ya tan tanto todo toda todos todas otro otra otros otras
mismo misma cada así antes después aquí allí puede pueden debe deben tiene tienen
| no ni nunca nada nadie sin ningún ninguna tampoco os""",
    "swedish": """en ett den det de dem och eller men för att som om när där här jag du han hon vi ni mig dig
honom henne oss er sig min mitt mina din ditt dina sin sitt sina hans hennes dess deras vår vårt våra ert era
denna detta dessa vilken vilket vilka vad vem var varför hur i på av till från med hos vid under över mellan
genom mot efter före sedan innan är vara varit blir bli blev blivit har hade ha haft kan kunde ska skall
skulle vill ville måste bör får fick så också även bara mycket mer mest många alla allt annan annat andra
någon något några samma sådan då nu än eftersom medan ut upp in
| inte ej ingen inget inga aldrig utan hela""",
    "tamil": """ஒரு என்று மற்றும் அல்லது ஆனால் இந்த அந்த எந்த இது அது எது இவை அவை அவர் அவர்கள் அவன் அவள் நான்
நீ நாம் நாங்கள் நீங்கள் என் உன் நம் எங்கள் உங்கள் அவரது அவர்களின் தன் தனது தங்கள் இங்கு அங்கு எங்கு இங்கே
அங்கே எங்கே எப்போது எப்படி ஏன் என்ன யார் என என்ற எனும் உள்ள உள்ளது உள்ளன இருந்து இருந்த இருந்தது இருக்கும்
இருக்கிறது உண்டு வேண்டும் முடியும் கொண்டு கொண்ட செய்து செய்ய ஆகும் ஆக ஆன மீது மேல் கீழ் முன் பின் பிறகு
பின்னர் வரை மூலம் போன்ற போல விட மிகவும் மிக பல சில எல்லா அனைத்து அனைத்தும் ஒவ்வொரு மட்டும் கூட தான் பற்றி
இடையே ஆகிய இப்போது அப்போது எனவே ஆகவே அதன் இதன் அதை இதை அதில் இதில் போது
| இல்லை அல்ல இல்லாமல் வேண்டாம்""",
    "turkish": """ve veya ya da de ile ama fakat ancak çünkü ki eğer ise için gibi kadar göre karşı doğru
sonra önce beri dolayı rağmen bir bu şu o bunu şunu onu buna ona bunun onun bunlar onlar bunları onları
bunların onların bundan ondan burada orada ben sen biz siz beni seni bizi sizi bana sana bize size benim senin
bizim sizin kendi kendisi kendini ne neden niçin nasıl nerede hangi kim kimin her hep tüm bütün bazı birçok
çok daha en pek biraz şey şeyi hem olan olarak olup oldu olduğu olması olmak olur olmuş idi imiş dır dir var
vardı etmek eden ederek edilen edildi iken mi mı mu mü diye üzere böyle şöyle öyle artık yine bile sadece
yalnızca nin nın nun nün ın un ün dan den tan ten ta te yi yı
| değil yok hiç asla in az""",
    "yiddish": """דער די דאָס דעם אַ אַן און אָדער אָבער נאָר ווײַל אַז צי ווי ווען וואו וווּ וואָס ווער
וועמען וועלכע וועלכער איך דו ער זי עס מיר איר זיי מיך דיך אים אונדז אײַך זיך מײַן דײַן זײַן אונדזער אײַער
זייער מײַנע זײַנע אונדזערע דאָזיקע יענער יעדער יעדע אין אויף פֿון פֿאַר מיט צו בײַ נאָך איבער אונטער צווישן
ביז זינט דורך קעגן אַרום איז בין ביסט זענען זײַט געווען ווערן ווערט געוואָרן האָט האָבן האָב האָסט געהאַט קען
קענען וועט וועלן וואָלט מוז זאָל וויל דאָ דאָרט דאַן איצט אַזוי אויך שוין מער אַלע עפּעס מען
| ניט נישט קיין קיינער אָן גאָרנישט אַנדערע""",
}


def _table(letters: str, others: Sequence[str]) -> dict[int, str]:
    return {ord(letter): other for letter, other in zip(letters, others, strict=True)}


# Other ways to write the same words (keyboards without a letter, capitals without the accent), each step on
# top of the ones before.
_VARIANTS: dict[str, tuple[dict[int, str], ...]] = {
    "arabic": (_table("أإآ", "ااا"), _table("ى", "ي")),
    "greek": (_table("άέήίόύώ", "αεηιουω"),),
    "persian": (_table("ی", "ي"), _table("ک", "ك")),
    "romanian": (_table("șț", "şţ"),),
    "russian": (_table("ё", "е"),),
    "serbian": (
        _table("абвгдђежзијклмнопрстћуфхцчшљњџ", [*"abvgdđežzijklmnoprstćufhcčš", "lj", "nj", "dž"]),
    ),
    "yiddish": (_table("װױײ", ["וו", "וי", "יי"]), _table("\u05b4\u05b7\u05b8\u05bc\u05bf", [""] * 5)),
}


@cache
def _parse(language: str) -> tuple[frozenset[str], frozenset[str]]:
    """Stop words of `language`, and its further words that only tell the language."""
    stop, _, telling = _WORDS[language].partition("|")
    return _spellings(stop, language), _spellings(telling, language)


def _spellings(words: str, language: str) -> frozenset[str]:
    found = set(unicodedata.normalize("NFC", words).split())
    for table in _VARIANTS.get(language, ()):
        found |= {word.translate(table) for word in found}
    return frozenset(found | {word.casefold() for word in found})


class _StopWords(Mapping[str, frozenset[str]]):
    """Parsed at first use: the lists of all languages are long, and a process needs few of them."""

    def __getitem__(self, language: str) -> frozenset[str]:
        return _parse(language)[0]

    def __iter__(self) -> Iterator[str]:
        return iter(_WORDS)

    def __len__(self) -> int:
        return len(_WORDS)


STOP_WORDS: Mapping[str, frozenset[str]] = _StopWords()
"""Stop words under Snowball names: NFC, lower case, each also as `str.casefold` makes it (*daß*, *dass*)."""


def telling_words(language: str) -> frozenset[str]:
    """All words that hint at `language`: its stop words, negations, and some that are no stop words."""
    stop, telling = _parse(language)
    return stop | telling
