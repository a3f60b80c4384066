--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: _sqlx_migrations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public._sqlx_migrations (
    version bigint NOT NULL,
    description text NOT NULL,
    installed_on timestamp with time zone DEFAULT now() NOT NULL,
    success boolean NOT NULL,
    checksum bytea NOT NULL,
    execution_time bigint NOT NULL
);


--
-- Name: accounts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.accounts (
    account text NOT NULL,
    login text NOT NULL,
    status text NOT NULL,
    display_name text,
    created_at bigint NOT NULL,
    bundle text NOT NULL,
    bundle_signature text NOT NULL,
    bundle_sequence bigint NOT NULL,
    login_key text NOT NULL,
    fingerprint text NOT NULL,
    keys_version bigint NOT NULL,
    keys_sealed text NOT NULL,
    password_version bigint NOT NULL,
    password_realm text NOT NULL,
    password_nonce text NOT NULL,
    password_iterations bigint NOT NULL,
    password_sealed text NOT NULL,
    password_verifier text NOT NULL,
    recovery_id text NOT NULL,
    recovery_sealed text NOT NULL,
    recovery_copy text NOT NULL,
    recovery_verifier text NOT NULL,
    state_version bigint NOT NULL,
    state_sealed text
);


--
-- Name: bundles; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.bundles (
    account text NOT NULL,
    sequence bigint NOT NULL,
    bundle text NOT NULL,
    signature text NOT NULL,
    published_at bigint NOT NULL
);


--
-- Name: codes; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.codes (
    account text NOT NULL,
    login text NOT NULL,
    code_hash text NOT NULL,
    expires_at bigint NOT NULL
);


--
-- Name: devices; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.devices (
    account text NOT NULL,
    device text NOT NULL,
    name text NOT NULL,
    public_key text NOT NULL,
    created_at bigint NOT NULL,
    seen_at bigint NOT NULL,
    revoked_at bigint,
    counter bigint NOT NULL,
    access_hash text NOT NULL,
    access_expires_at bigint NOT NULL,
    refresh_hash text NOT NULL,
    previous_refresh_hash text NOT NULL,
    refresh_expires_at bigint NOT NULL,
    told_at bigint DEFAULT 0 NOT NULL
);


--
-- Name: failures; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.failures (
    bucket text NOT NULL,
    empty_at_ms bigint NOT NULL
);


--
-- Name: logins; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.logins (
    attempt text NOT NULL,
    account text NOT NULL,
    device text NOT NULL,
    device_name text NOT NULL,
    device_key text NOT NULL,
    kind text NOT NULL,
    proof_hash text NOT NULL,
    expires_at bigint NOT NULL,
    finished bigint NOT NULL
);


--
-- Name: secret_check; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.secret_check (
    only_row bigint NOT NULL,
    check_value text NOT NULL,
    CONSTRAINT secret_check_only_row_check CHECK ((only_row = 1))
);


--
-- Data for Name: _sqlx_migrations; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public._sqlx_migrations VALUES (1, 'accounts', '2026-11-22 10:23:32.987641+00', true, '\x2c5a33c86936f7a511e18c80760633342cf7ea38f77cf903fe0c47cbf4c585a98ce91d80c6177a91330ef9a76a716aef', 33602999);
INSERT INTO public._sqlx_migrations VALUES (2, 'indexes', '2026-11-22 10:23:33.019062+00', true, '\x236d2aba6c3312883f3a3bb3d64ad917d89971ca9b24670af8b89805ff40ab9aa6c8e722b25650603a9a30e9caed3620', 10570065);
INSERT INTO public._sqlx_migrations VALUES (3, 'secret check', '2026-11-22 10:23:33.029893+00', true, '\xb06ff6c4a1f47b2e569493c70542d2e798f17a04c40e64b8f32379d7fda11ec6a231f3df3a04496600950f0b7084e205', 4269581);
INSERT INTO public._sqlx_migrations VALUES (4, 'told', '2026-11-22 10:23:33.034461+00', true, '\xfc10961197067788213f758bf8ff5293414fc9e7e17a0b0d10018bd22833157127c0ff5a7bb7fc7abb216980efd21127', 3019331);


--
-- Data for Name: accounts; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.accounts VALUES ('28132610675c73d6d7d82f331f7eab7c', 'test-only-alice@example.org', 'active', 'Alice', 1900000000, 'a70001015028132610675c73d6d7d82f331f7eab7c02781b746573742d6f6e6c792d616c696365406578616d706c652e6f726703582070b8b9f97f37dc1d631eb956a9b19681d60301fe4e771a8f7ea30deba2f58d6b045901a6308201a2300d06092a864886f70d01010105000382018f003082018a0282018100d2be91530bd33a97c8bc4f312628950914f1ffdbdf40986907b19944e484a72857e64f9283bd6188ea715ca58f6766287cdae1f7b2709a3b02eecd104ada6288f77a1389a3574f2747906d79d742ca3608176a9ffc4accc58ebc223f33fd7e5e08c92ff1114927e2c357924022306ca3a68a791083fb0eb3f7287c0040fe1d150c02e2e317c62c7cb9c8e1196c4015996a1f69f349a982a515232d802f12c42372f2b2f0ed22d83f31f83064442a5a64d032d9644a8cc362bd2cb670cf5f5a71a99d4fece957ce8d3c800a25aa9ded50bc403d127ff11c7c9719e20003bef37f506345a5080b09d9fd514a9e99b4d93eb6913f19f65fe91f1a2c99a78e264a1bb4c351ab84bb953489f17b0f960ca10154d4b27ac6053d243fc5d5987e3f8fcb4d6b1378afcbc7fd1c43d6fb53d64f2ccdf1752cbb2c4fb3290cbb12e11b09f448630fcb61258cc75e39cef507f95f8d51412fd9f43e1e69f3521f21d7d670b94e1992087a5c3407bccffa88c46c51d560c0fc6d289fdbf6d9955d7ba0f03fe30203010001055901a6308201a2300d06092a864886f70d01010105000382018f003082018a0282018100a9964fd3306846db2c2956aeb7e53c5b8e50646341ae7ae6a12d7ac44f4deda14513edcb6ce4a05878015747070e68d2281a43e8a43845f2e845475c33aafff4f71953a988986170e7fb7f118ceebb6f4e4daa1333aaa4785b8e48f5bb25ba4be9075d0aaf976ac798eff3e09513747e89bbcbf990deab591bec2b9dcc264215efecbbb24116b488edd3d43623745f0c37614857f91b0dc1183a0b5da7e0041ad61f77b6d8982300271c9b446ab1043f83bfb95c84df7065a45c0f1cdbf33fc238a4d30a892a4886b6ab301d14888a74b47971ffbea0805edcda1eaedc5a6301b9ab5b29a01b7cb70e2cf6576c367fbee3136651d3913f572f54b484dfc04a2535fddb8830d82404823a6a1af49e1e2369d16b9b55a7cf5bf8f48aab0be50c278b32dc89607adc73d4afadcf9d201ee8cb8bcfae7fa68f7ca3dc3a86a53807b8d817948d6c578ddb933007e968ca23412a20e435825f267cdbef58ef020ffbe457b93612c61476fb0670a1536085b50d046ba9a35ad86d1a3770cf0f3ca5f03b02030100010603', 'a6d0aeb8c3cfa103dec8bdea57b7e7f1ff037de1271b1de4b8b2056917cab48913321f47dbe07f98c9e4b7c17678c26de05ccc93217f3dc4a10db9b532b24908', 3, '308201a2300d06092a864886f70d01010105000382018f003082018a0282018100a9964fd3306846db2c2956aeb7e53c5b8e50646341ae7ae6a12d7ac44f4deda14513edcb6ce4a05878015747070e68d2281a43e8a43845f2e845475c33aafff4f71953a988986170e7fb7f118ceebb6f4e4daa1333aaa4785b8e48f5bb25ba4be9075d0aaf976ac798eff3e09513747e89bbcbf990deab591bec2b9dcc264215efecbbb24116b488edd3d43623745f0c37614857f91b0dc1183a0b5da7e0041ad61f77b6d8982300271c9b446ab1043f83bfb95c84df7065a45c0f1cdbf33fc238a4d30a892a4886b6ab301d14888a74b47971ffbea0805edcda1eaedc5a6301b9ab5b29a01b7cb70e2cf6576c367fbee3136651d3913f572f54b484dfc04a2535fddb8830d82404823a6a1af49e1e2369d16b9b55a7cf5bf8f48aab0be50c278b32dc89607adc73d4afadcf9d201ee8cb8bcfae7fa68f7ca3dc3a86a53807b8d817948d6c578ddb933007e968ca23412a20e435825f267cdbef58ef020ffbe457b93612c61476fb0670a1536085b50d046ba9a35ad86d1a3770cf0f3ca5f03b0203010001', '6769f4098b22359381ea51fcdd559857c7eb63904b61c97fd3f4863d1b66d2e3', 3, '0514d0fd3e923033ba819e1e365c26eac64fd01b52d37ac63996a5462305cc27ee3bd4a800a4c6469e1fe7b44a772b79a2e9772b75941659c63e18726fe6937f35868146b555a760689a2b1dd5bb4582298f840c7df65deea0f5e7c69f2103d14a1ec2f3371b77c07b210e94fb56b3028cee2ec7cbcdb2e88cfb97f5a1be7bfdd99baf71a0089cb346aa32c23ea0f7e37b62c4ca5b43b6c5f230f7496599b13052e8f6efc3552bcdbb9d8070c772c62d3f156a9b2809ab545edb9e5695294a6b82f9a6c793b7a017b062c46a389cded706dd8f6eb7de9fb1d040b82a5c40079caedb39e2c9da5bf0b3ecc3e81cb897826e947367b8813a387a61498218e79054fc9b2babce15babfa1a57285116b17cd285907f71380be122615d56a617878d71947b6a8cc8ac5f3c50ba325ad148b076baac8763be6b5ef97d706cc23199910dd1eca39ad8143ae6bb44654f5a3243ed59ed6242024930c8c488d24a0a53e84f73182af9af938bb1f83dbf405fea63136010d8feca268d694b6c449b2901132cb6c569d35a70e3a36938aaf583bb123d75846d232c8b41f8e9f8680746cbcfe5c9d8e7a0a3d98c6effb91ec68f7a257700bd9115af59d5ca9014e0c347aa6ce4621aca4475743793ad0629e0e1c2b9be8251634029583f7b56d7f0fe67ec77af5cd0feb5ee279ee047c2717db71fdb80b4806b381e599803e0333ac964b7f122afd93198b4daebce33cbacd18abbf868dfcc834768c5fb833eff391a20b505bd47f3dbc4fb694f9df32ae56f05175ccfe024914e3b0a2838a2bb3c13d754840e1a14d335c10c816f5406d69173edde2127dd08ceb0bcd0501313af949028482a9be02113063da06bd7348f71808c8ce45ca73faf301945e11812ef189a0625cc4c0178a455a143528afc35248e1f84b544c65971de9815d08a3063ad4e2edbeeca0c0f5deb3bddb5464f8c4c9ea49c131759ebf6676cdee0e77a25dc072f8cdc14b350086680947e9cbfbc1be23a83bddf38ba1b9f3f08ba00333598ac1c07424ca050fc4f52f95a44b64127889fdfd42045307171afb9c7baf0aabfa8c92878252d1e8c7ce2ffccfb74667cbced861d667f3dfc08326c3281aca6b1719ed4f336c7e4b6fdc607744e85de788f5bcf9ec7b71a2566e1d75814aad33018be1b0515a0d58cf893efbee5bbab8506ee6c6d5a5638824a417c7ef05431c1b055a8f1cb9f3bde78cd43223e9d3ecb6d41e2e6432af597c9a19660c23a9c02710eb9a7233475433e04e9c98a4d973e4edb4f03bc52652e09e897d2765b48ef508c3fbbf54f8d0bed1b47c58c27873811ad52165e98dc13877118189cc949b9b055a74430a9138899cbdfcd13e46d07e9733da82a600e39f3cfae4d2865b87d2cfcb930b8724566790c53e64813a03d3caba8202b73513224536f9e71f98ef4860b258cdc3560c190988e50cf20c6f0af40a9473abbe8f1f7d1bc66882ed7b4cc0871fcb8c8229335db73ce23a5fcb0da8770782046f680651df1fff2c5b5b2f3f90d986b03f11d51c1ba3fdf933926d5ce2e67ee20310eb4ed2cfecfe5a3de0522563db5ea688d5f8b8ded7de4d7aaf55d0adca498ff03e5821a583be522443e35a88d5c0a8048bf524d2daede679863bf4e922419747dff2c7c530fe2f117c88f5a68bc6affcbcd3ca295dbd1ae5ab518cd483fbf5b875241c96ae92eb95d9303a046d9b33621b88d04e5f7c041ab545e58355020ccc643f358f8a1a993be977a5e7df8c94a605e4e803106636502eddee40f93f9e745744b73bb405d0c1822f6c7d46e8eedd8ccb9ecd9aa975a4307a46871314e6364445d4cc14bb0063127be32aba8917fe99853673ce49051c712f6c4cb325cf839d978d99db34adff897dc7571e5f4d32c18cb368e752327d09ef9ff280dc914a0fdda8293cace8c0652393b08f71efb764f85302f4c1fdbba14a208a2547cbcb576fb2db0ac07e43ca76691d86ae1596558b94485f5c6fecca2368fcdcda07f709ebe816a4f9a3bb7400c47a49269c8eceadc05315e10af85d759d4977964b87e6ad51d7b539367ae7ccd54290c46bb85b898de51f1d861f650e3b748eb60bc8f97d06b27a6daddc6678c35037e796f101d738546fc48f4f17432a46e9c8850ff5889fc86b7510b9bb057382a7ce2cd50347742cf06358d9fd586210e24b32ab5a8a4cd1bc29db44e87cdac7517707395411d34463dbe4a6628432778053b15359ac7ce9590e3dd2372bb339f1a8836a7a707d85446cd86bbe31e7d46479884026fd1ee35fe25306e4d0aa991a5b1ceba5387ea3e58338e10b6a1a369069cf27bb90a2ce76257eb0cfa30a801efe94db1409bf5deabe57745bb48e1af551e3a9dd397e0522939209ba0ad15ef0fd4793828837a0fa743619c18ea8dce8c2bcdf25f0538d1360887ae9b22a67b90360f87b0ae3455247f03dff21cbec32dcd4a7aaae477a0bf6bada069cae0a8ee36d83fcd4219bdf1fb3434dbacc0efdd1f7f4691734979061f1a03a4ec4c291e249a5231419943783057c5f4d06ed4f1907375046bd9858d2249f6c8fd5d45d0ca8384236c7ee96ff2596f52e7cbdf1972313c2a82f9ddce77ffd533665a61087ce9c0e7a3e690750db0a24b58d9b12c0a7e2bbd57233b2016ba71aafd20d5e2525341096e9394c9bce7b143a7553b7d21d30921ecd8f5ac650099fa84f48a0f460705328ca46888e64fd999fbdbbb7545761ef5f2cf785993b6dfee232130fd41c336aa2058228bd112cf74fa73b6fe7a64b56e2523c44b87a2b00fb4c6c966ab10060315a24b5cdbfbb91a1d1263fcf7dd438d09412c434fb18cff3e6bac331b2635d42f2b24237e82a501e1cdf6077b34a87d1d479c1f1a39806bacf4caac8f1236234d9aa86f191854629627ab3c195886a5223d553c64d8058696b0e850d7fe7af8e46eb613558069f8fa5a92f2278a2a3a27f8179185934886750af87c1b7b40dd11fa1970cea3ee1c6f4c7c7e64fec6aa1ec0234062d16bb9b599b83edc5993825ef4af8176902143a70f31c6375f593fbe90687c1ef46dfb3c40d429294e6b42b7b485e8fc155bbaaf52b1b978e890ad043b8d925fe1a8a51a5115048b291a94b8ed798119cf963dac142f8de68c55a55f29a45353ebf74962830d6a855d5f3e35fc7fe88f79515d3b7e20e06a24ffb3188f26c7f706c3ae6c4f8e377d9c6955290b91cc7f4922ee820e4def964aa9c1499aa7de4dd0d29086891ab2f41bfdbd3ff2259e90324a5470167d941be042171ae1ec409dd19c74b6d9f1fc6b331fe0b0b901e73d4bcd8b5b449fecda09abe408765053de7e4591e8f6480422cedefa3f3917654120a35badaae372467add19ec2fbe671a2a4de87add31afe93e60ab3f58ab675fdcfd17effc6ebbd4ad7b93356d4eb2f4b4394c7cf15b85562a9f3de870b469eb687fb86540bb00d69283dac56bd8a8a0fad51a141702fb319ee52ba30ad9533dfd18297e4d653ec56a7db0f51990fb9d28262318f988f74fae945963917ff59e994c5fe67ac97ae38000c6d0aef9a3e1e536bba15df033110a4b7de46305ee00dcc2360dba07a785d3a841cae04e0f2345a56c2a9ef6e8e002532beeaeca37466035b71740835721aaf2ac04bd288abcfad64166c986a88fda05b33c12aafb14ba06d8c29e5041452e24bdd8f5c925f416c57a06ca85215dc8cc5855b89f5c08c7c4692aa60956b629a0e111e94573a7902ca5f2f98ebf303c8e850dd1827e41ac1a49cf29bf5f5b2b68e706e01fc58e847f3039c386bdf36555667171079643a71101fa2bc3ac5a6af33be9c1301041c21ddeaae59bb9af96a11bb0eb10a9c3c9bec1261a33453fd362bd1b198b3c3ee24594d6b42ad75a96444401aedd4dafd4f9b6b36e539f20f49c908f574142274cc62b5dad589da6b1ac7a61a95ffcf34193903200d4bc62434ca5ed418242c9e2edb1bf53ee7c79837a479b4b4604c9420c03f132d23bf4c68921147be1198be227eaa9c4089a474a6723e2975a17146e717b634c0a13f73901ce467f3c7b844a86a68c76cfe7e8fcf10b6b38ab702ab5ea815e6d15827072ee493d43aacc111ea4ce9d9d59f1cd9c6900755ab5fb4de90b1081c6de9f05fe61761baf69f6ba33dbb7bc1596500264309802346ecc525680ebfb9844f2b40df9ca989e0ca7a98071384d3888d8acf56e91d70f1c874383ab99488010cdf695235e16ffd64a73f56b9fa183dc99f0ddbb5e52a9d5bf31d237b74b9f6ccfc1021c8329800c5debd4b5cb386c9b6ddd63d119df7d0a6cce9e1f9e4af97c97565189a6605ff73f89d5cd296906f77c4a1c0102d25eacccdf64e793042fe536e8953e5aff9c6ae628f0ba45db830a42e9c265550c5a4ebf4486f61b3cb1bda2b8a65add1d1772cf678bfeb7d5f3c5caa00e757470984e6255c6ddb58d6574ff5aeed41f2ebf7dd86e39ca4ddc4cca0b1501a3e04785ec29e9cdd3778b69455db5f109a13b115cb1c3818bb4f40281cb7b66fa5bbfc260cb7d260c571f7206d1201c20fa653df59550dda9791c5c193c27ef147420c690783d3cb8df7063663f86c5617e7ed270225ebacd524f0612f2dd41ffc1b28b5edc268280a682f5e88b23321bd821c9e77334580f215da04318e170498486a387230c76b943e47af8a06408db2b3ea3fa69fb73dd6bcbb48df4a81f6f5c9b30ee3598b97e7641987ca8c064193d405b56773993f9871489d1f4d9e94fc4f2a784d8dd24e741d33cb8602b15b951254b4ffe55f11d45e689331c377c4802d534649bcf9e942b0fc6657d6182b68375ecb46c3091a28b48468e7ef2ee4fd60d1b7c6f7d355d9d2a4a1a18591028ce71ae4e1231646e152f63b4b27da2575ed4da2d12aef646276ed6fc310dbc285ed03482cfeb8b3edd3c0f9d6f88b9e4ee14c7c75180fca791667f8a38c87e7e0883202b59abdd72cec2022486e7d47e0250ce7e6c6456d9c3af57c8f6583e86ff45f321dc9f39b642011c5cf09654bc553fb6f68e75ba099294a779b9d415d34685c864b8f6ffa970702b15c889ebf531f2704503029d51cd92f38eb19f3c148b580b7644df5814551582fd69937a74ebe231cd5de0805c6fdad42f200547d945c1ba31e2c2f35cb908aaa4fedddffbbe8b2b438dfb10e4e4dcd385ea389b79ba6b29831393a6c403a2ae2a67a06a6f3fb4c2fbdd1520c0b610fb4', 3, 'https://keys.example.com', '43ea7c0c9227689b12903c484a5cc0e3', 600000, '9dce39d5474939ad95f0a1a51648b542d18b64b09c26af6f12a64ca04c95f68888e266e5d58ba4f1eb6cb5a08ea0798ec976b8aaa5ca0135f1ed88fa96ca3934ffea819c0df6f4597d7f4b83a8f7862faf7b5a6422966af79e9f8896ed6a4c96add9c052b910e125', '65e7a2337d936715804f4b5a60fc76ecbf54d85c605dd9750b5a13d836751643', 'a738dc707105648654e490d6c3aa26ab', 'c11854bc80e33e710b75088430ac6fe8b4bcdf3efd36f1a37bae45bb1e55fe8b2530f22040e3c10945c500dc964e61090c99ede597bc8e52f3ede3749936862b3d778937125c1c949ff77b226607f3f853a0d92288839de19f12070290c256becd76a1e12c4b17cb', 'bec826770c8cfddf7ea62819f9716dc0ba9189d0397e018e193c1442b787a10446dc223daa16980d0eddf4c139f2dbd52d9ed606ec7ab1428a04d3bf266855b7ab24977150a0c244301be3bb984758e1edd8bebde8f6479adbbb934a', '289bf1acb4eb82e9fc5442e5a1febac00a5b5fc97c2e376fbdc01d28cde49c80', 1, 'a7bcd7c07d6fa4802cbe0e9afc8dab6a62fd1cb133ee30206a23daa010249c489a132903e6157d8dc6eefdbdfc6b88d95b1bb680813996e4d030435678b539ce77ffd17067f883c7ae63cc598211d3');


--
-- Data for Name: bundles; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.bundles VALUES ('28132610675c73d6d7d82f331f7eab7c', 2, 'a70001015028132610675c73d6d7d82f331f7eab7c02781b746573742d6f6e6c792d616c696365406578616d706c652e636f6d03582070b8b9f97f37dc1d631eb956a9b19681d60301fe4e771a8f7ea30deba2f58d6b045901a6308201a2300d06092a864886f70d01010105000382018f003082018a0282018100d2be91530bd33a97c8bc4f312628950914f1ffdbdf40986907b19944e484a72857e64f9283bd6188ea715ca58f6766287cdae1f7b2709a3b02eecd104ada6288f77a1389a3574f2747906d79d742ca3608176a9ffc4accc58ebc223f33fd7e5e08c92ff1114927e2c357924022306ca3a68a791083fb0eb3f7287c0040fe1d150c02e2e317c62c7cb9c8e1196c4015996a1f69f349a982a515232d802f12c42372f2b2f0ed22d83f31f83064442a5a64d032d9644a8cc362bd2cb670cf5f5a71a99d4fece957ce8d3c800a25aa9ded50bc403d127ff11c7c9719e20003bef37f506345a5080b09d9fd514a9e99b4d93eb6913f19f65fe91f1a2c99a78e264a1bb4c351ab84bb953489f17b0f960ca10154d4b27ac6053d243fc5d5987e3f8fcb4d6b1378afcbc7fd1c43d6fb53d64f2ccdf1752cbb2c4fb3290cbb12e11b09f448630fcb61258cc75e39cef507f95f8d51412fd9f43e1e69f3521f21d7d670b94e1992087a5c3407bccffa88c46c51d560c0fc6d289fdbf6d9955d7ba0f03fe30203010001055901a6308201a2300d06092a864886f70d01010105000382018f003082018a0282018100a9964fd3306846db2c2956aeb7e53c5b8e50646341ae7ae6a12d7ac44f4deda14513edcb6ce4a05878015747070e68d2281a43e8a43845f2e845475c33aafff4f71953a988986170e7fb7f118ceebb6f4e4daa1333aaa4785b8e48f5bb25ba4be9075d0aaf976ac798eff3e09513747e89bbcbf990deab591bec2b9dcc264215efecbbb24116b488edd3d43623745f0c37614857f91b0dc1183a0b5da7e0041ad61f77b6d8982300271c9b446ab1043f83bfb95c84df7065a45c0f1cdbf33fc238a4d30a892a4886b6ab301d14888a74b47971ffbea0805edcda1eaedc5a6301b9ab5b29a01b7cb70e2cf6576c367fbee3136651d3913f572f54b484dfc04a2535fddb8830d82404823a6a1af49e1e2369d16b9b55a7cf5bf8f48aab0be50c278b32dc89607adc73d4afadcf9d201ee8cb8bcfae7fa68f7ca3dc3a86a53807b8d817948d6c578ddb933007e968ca23412a20e435825f267cdbef58ef020ffbe457b93612c61476fb0670a1536085b50d046ba9a35ad86d1a3770cf0f3ca5f03b02030100010602', '42328ebfaaa79dc725116cc09ae8758a9950c93ecbc8b87581d8f8e6fa519c14b25be7aafff45a4378ae0422dd5106ab9d0bb32e74834b4c0e418c6670c33b02', 1900000000);
INSERT INTO public.bundles VALUES ('28132610675c73d6d7d82f331f7eab7c', 3, 'a70001015028132610675c73d6d7d82f331f7eab7c02781b746573742d6f6e6c792d616c696365406578616d706c652e6f726703582070b8b9f97f37dc1d631eb956a9b19681d60301fe4e771a8f7ea30deba2f58d6b045901a6308201a2300d06092a864886f70d01010105000382018f003082018a0282018100d2be91530bd33a97c8bc4f312628950914f1ffdbdf40986907b19944e484a72857e64f9283bd6188ea715ca58f6766287cdae1f7b2709a3b02eecd104ada6288f77a1389a3574f2747906d79d742ca3608176a9ffc4accc58ebc223f33fd7e5e08c92ff1114927e2c357924022306ca3a68a791083fb0eb3f7287c0040fe1d150c02e2e317c62c7cb9c8e1196c4015996a1f69f349a982a515232d802f12c42372f2b2f0ed22d83f31f83064442a5a64d032d9644a8cc362bd2cb670cf5f5a71a99d4fece957ce8d3c800a25aa9ded50bc403d127ff11c7c9719e20003bef37f506345a5080b09d9fd514a9e99b4d93eb6913f19f65fe91f1a2c99a78e264a1bb4c351ab84bb953489f17b0f960ca10154d4b27ac6053d243fc5d5987e3f8fcb4d6b1378afcbc7fd1c43d6fb53d64f2ccdf1752cbb2c4fb3290cbb12e11b09f448630fcb61258cc75e39cef507f95f8d51412fd9f43e1e69f3521f21d7d670b94e1992087a5c3407bccffa88c46c51d560c0fc6d289fdbf6d9955d7ba0f03fe30203010001055901a6308201a2300d06092a864886f70d01010105000382018f003082018a0282018100a9964fd3306846db2c2956aeb7e53c5b8e50646341ae7ae6a12d7ac44f4deda14513edcb6ce4a05878015747070e68d2281a43e8a43845f2e845475c33aafff4f71953a988986170e7fb7f118ceebb6f4e4daa1333aaa4785b8e48f5bb25ba4be9075d0aaf976ac798eff3e09513747e89bbcbf990deab591bec2b9dcc264215efecbbb24116b488edd3d43623745f0c37614857f91b0dc1183a0b5da7e0041ad61f77b6d8982300271c9b446ab1043f83bfb95c84df7065a45c0f1cdbf33fc238a4d30a892a4886b6ab301d14888a74b47971ffbea0805edcda1eaedc5a6301b9ab5b29a01b7cb70e2cf6576c367fbee3136651d3913f572f54b484dfc04a2535fddb8830d82404823a6a1af49e1e2369d16b9b55a7cf5bf8f48aab0be50c278b32dc89607adc73d4afadcf9d201ee8cb8bcfae7fa68f7ca3dc3a86a53807b8d817948d6c578ddb933007e968ca23412a20e435825f267cdbef58ef020ffbe457b93612c61476fb0670a1536085b50d046ba9a35ad86d1a3770cf0f3ca5f03b02030100010603', 'a6d0aeb8c3cfa103dec8bdea57b7e7f1ff037de1271b1de4b8b2056917cab48913321f47dbe07f98c9e4b7c17678c26de05ccc93217f3dc4a10db9b532b24908', 1900000060);


--
-- Data for Name: codes; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.codes VALUES ('28132610675c73d6d7d82f331f7eab7c', 'test-only-alice@example.net', 'e16aca2ea95178c35e820169c364f6e6c386d2d221587cb0022966aed4e65ef6', 1900086460);


--
-- Data for Name: devices; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.devices VALUES ('28132610675c73d6d7d82f331f7eab7c', '9b4502f84bf403797182ea2c47e5b6ba', 'laptop', '70b8b9f97f37dc1d631eb956a9b19681d60301fe4e771a8f7ea30deba2f58d6b', 1900000000, 1900000060, NULL, 1, '0822e156a958a530c4bb715fd988222b18c30be75bc7ebe23ee74395b6bd3db7', 1900000960, '8427a92f85f5dfba0bdd6cc5d6471a2a9100a99bf14dc68205682087f3fe3fc1', '9de279691ca67056cbe107123e0eec8d4686490d9cb0d1fe1694079ad52a692e', 1907776060, 1900000000);


--
-- Data for Name: failures; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.failures VALUES ('availability:192.0.2.1', 1900000036000);
INSERT INTO public.failures VALUES ('account:28132610675c73d6d7d82f331f7eab7c', 1900000240000);
INSERT INTO public.failures VALUES ('device:28132610675c73d6d7d82f331f7eab7c:9b4502f84bf403797182ea2c47e5b6ba', 1900000060000);
INSERT INTO public.failures VALUES ('keys:28132610675c73d6d7d82f331f7eab7c', 1900004380000);
INSERT INTO public.failures VALUES ('address:198.51.100.7', 1900000078000);
INSERT INTO public.failures VALUES ('all:', 1900000060090);


--
-- Data for Name: logins; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.logins VALUES ('ec6b81f01e679874ace320bf657cba4700000000713fb37878b17df9b0b3f88685f88754579834cdc2993a99303ed638d430573013dce0f9', '28132610675c73d6d7d82f331f7eab7c', '9b4502f84bf403797182ea2c47e5b6ba', 'laptop', '70b8b9f97f37dc1d631eb956a9b19681d60301fe4e771a8f7ea30deba2f58d6b', 'password', 'cfd7675ce5043052bfdb0773c124e9afb4f8699615c8dfaa0297b6ef9e68b4bf', 1900000120, 1);


--
-- Data for Name: secret_check; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.secret_check VALUES (1, '99559121b2d4332516834cd947519388e132f55b69e4a1f6c6e638ceb8b2cd06');


--
-- Name: _sqlx_migrations _sqlx_migrations_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public._sqlx_migrations
    ADD CONSTRAINT _sqlx_migrations_pkey PRIMARY KEY (version);


--
-- Name: accounts accounts_login_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_login_key UNIQUE (login);


--
-- Name: accounts accounts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (account);


--
-- Name: bundles bundles_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.bundles
    ADD CONSTRAINT bundles_pkey PRIMARY KEY (account, sequence);


--
-- Name: codes codes_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.codes
    ADD CONSTRAINT codes_pkey PRIMARY KEY (account, login);


--
-- Name: devices devices_access_hash_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_access_hash_key UNIQUE (access_hash);


--
-- Name: devices devices_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_pkey PRIMARY KEY (account, device);


--
-- Name: failures failures_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.failures
    ADD CONSTRAINT failures_pkey PRIMARY KEY (bucket);


--
-- Name: logins logins_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.logins
    ADD CONSTRAINT logins_pkey PRIMARY KEY (attempt);


--
-- Name: secret_check secret_check_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.secret_check
    ADD CONSTRAINT secret_check_pkey PRIMARY KEY (only_row);


--
-- Name: accounts_unconfirmed; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX accounts_unconfirmed ON public.accounts USING btree (created_at) WHERE (status = 'unconfirmed'::text);


--
-- Name: codes_by_expiry; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX codes_by_expiry ON public.codes USING btree (expires_at);


--
-- Name: devices_by_end; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX devices_by_end ON public.devices USING btree (COALESCE(revoked_at, refresh_expires_at));


--
-- Name: failures_by_time; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX failures_by_time ON public.failures USING btree (empty_at_ms);


--
-- Name: logins_by_account; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX logins_by_account ON public.logins USING btree (account);


--
-- Name: logins_by_expiry; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX logins_by_expiry ON public.logins USING btree (expires_at);


--
-- Name: bundles bundles_account_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.bundles
    ADD CONSTRAINT bundles_account_fkey FOREIGN KEY (account) REFERENCES public.accounts(account) ON DELETE CASCADE;


--
-- Name: codes codes_account_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.codes
    ADD CONSTRAINT codes_account_fkey FOREIGN KEY (account) REFERENCES public.accounts(account) ON DELETE CASCADE;


--
-- Name: devices devices_account_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_account_fkey FOREIGN KEY (account) REFERENCES public.accounts(account) ON DELETE CASCADE;


--
-- Name: logins logins_account_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.logins
    ADD CONSTRAINT logins_account_fkey FOREIGN KEY (account) REFERENCES public.accounts(account) ON DELETE CASCADE;


--
-- PostgreSQL database dump complete
--


